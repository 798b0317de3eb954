"""A small encoded data set, and requests for trials on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mixfront.data import Encoder, load_schema, open_dataset
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.training import DataRequest, TrainingConfig, TrialRequest

MakeRequest = Callable[..., TrialRequest]
MODELS: dict[str, dict[str, Any]] = {
    "unimixer": {"block_size": 4, "num_blocks": 1, "ffn_hidden": 8, "sinkhorn_iters": 5},
    "kunlun": {
        "sequence_tokens": 2,
        "seq_len": 10,
        "num_heads": 2,
        "sequence_pool": "target",
        "position": "rote",
    },
}


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MIXFRONT_PEAK_FLOPS", "1e11")
        yield


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataRequest:
    root = tmp_path_factory.mktemp("logs")
    report = write_synthetic(root / "data", 1500, seed=3)
    encoder = Encoder.fit(
        open_dataset(report.path), load_schema(report.schema), report.filters["train"]
    )
    encoder.save(str(root / "encoder"))
    return DataRequest(path=report.path, encoder=str(root / "encoder"), **report.filters)


@pytest.fixture
def make_request(data: DataRequest, tmp_path: Path) -> MakeRequest:
    """Builds requests for a tiny model, by default a UniMixer; keywords are training settings."""

    def make(
        *,
        zero_stage: int = 2,
        name: str = "trial",
        resume_from: str | None = None,
        family: str = "unimixer",
        **training: Any,
    ) -> TrialRequest:
        values = {
            "batch_size": 256,
            "passes": 2,
            "evaluate_every": 0.5,
            "precision": "fp32",
        } | training
        size = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8}
        return TrialRequest(
            search_id="s-1",
            trial_id="0",
            family=family,
            model={**size, **MODELS[family]},
            data=data,
            training=TrainingConfig.model_validate(values),
            zero_stage=zero_stage,
            folder=str(tmp_path / name),
            resume_from=resume_from,
        )

    return make
