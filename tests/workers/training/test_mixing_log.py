"""The mixing history and pictures that a trial writes."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import Ranker, build_ranker, make_config
from mixfront.training.diagnostics.movement import InitialMixing
from mixfront.training.mixing_log import MAX_LAYERS, MixingLog

FIELDS = tuple(FieldLayout(name=f"f{i}", domain="any", kind="categorical") for i in range(4))
LAYOUT = FeatureLayout(fields=FIELDS, num_rows=4, pad_rows=())
SHAPE = {"num_tokens": 4, "token_dim": 8, "embedding_dim": 4, "num_blocks": 2}


def make(family: str = "unimixer", **values: object) -> Ranker:
    torch.manual_seed(0)
    return build_ranker(family, make_config(family, SHAPE | values), LAYOUT).eval()


def run_forward(ranker: Ranker, tau: float) -> Ranker:
    ranker.set_tau(tau)
    with torch.no_grad():
        ranker(torch.randn(3, 4, 4), torch.zeros(3, 0))
    return ranker


def log_of(ranker: Ranker, folder: Path, *, writes: bool = True) -> MixingLog:
    return MixingLog(str(folder), "trial 3", InitialMixing(ranker), writes=writes)


def steps_in(folder: Path) -> list[int]:
    return [record["step"] for record in json.loads((folder / "mixing/history.json").read_text())]


def test_mixing_gets_sparser_as_tau_falls(tmp_path: Path) -> None:
    ranker = make(logit_init_std=1.0)
    log = log_of(ranker, tmp_path)
    hot, cold = (
        log.record(run_forward(ranker, 1.0), 10, {}),
        log.record(run_forward(ranker, 0.05), 20, {}),
    )
    assert (hot["mixing/tau"], cold["mixing/tau"]) == pytest.approx((1.0, 0.05))
    for layer in (0, 1):
        for kind, size in (("global", 8), ("local", 4)):
            support, peak = (f"mixing/{kind}_{what}_layer{layer}" for what in ("support", "peak"))
            assert 1 <= cold[support] < hot[support] <= size
            assert 1 / size <= hot[peak] < cold[peak] <= 1 + 1e-6
    assert steps_in(tmp_path) == [10, 20]


def test_a_fresh_model_has_not_moved_and_gradients_are_named_by_layer(tmp_path: Path) -> None:
    ranker = make()
    log = log_of(ranker, tmp_path)
    metrics = log.record(run_forward(ranker, 0.05), 10, {(1, "local"): 0.5})
    for layer in (0, 1):
        assert metrics[f"mixing/global_distance_layer{layer}"] == 0
        assert metrics[f"mixing/local_distance_layer{layer}"] == 0
    assert [name for name in metrics if "grad_norm" in name] == ["mixing/local_grad_norm_layer1"]
    assert metrics["mixing/local_grad_norm_layer1"] == 0.5


def test_pictures_are_drawn_at_the_end(tmp_path: Path) -> None:
    ranker = make()
    log = log_of(ranker, tmp_path)
    log.record(run_forward(ranker, 1.0), 10, {})
    log.draw(ranker)
    names = sorted(path.name for path in (tmp_path / "mixing").iterdir())
    assert names == ["history.json", "layer0.png", "layer1.png", "sparsity.png"]
    for name in names[1:]:
        with Image.open(tmp_path / "mixing" / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300


def test_only_a_few_layers_of_a_deep_model_are_drawn(tmp_path: Path) -> None:
    ranker = make(num_blocks=9)
    log = log_of(ranker, tmp_path)
    log.record(run_forward(ranker, 1.0), 10, {})
    log.draw(ranker)
    layers = sorted(path.name for path in (tmp_path / "mixing").glob("layer*.png"))
    assert len(layers) == MAX_LAYERS
    assert (layers[0], layers[-1]) == ("layer0.png", "layer8.png")


def test_a_resumed_trial_keeps_its_history_up_to_the_checkpoint(tmp_path: Path) -> None:
    ranker = run_forward(make(), 1.0)
    first = log_of(ranker, tmp_path)
    for step in (10, 20, 30):
        first.record(ranker, step, {})
    log_of(ranker, tmp_path).record(ranker, 20, {})
    assert steps_in(tmp_path) == [10, 20]


def test_a_truncated_history_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mixing").mkdir()
    (tmp_path / "mixing/history.json").write_text('[{"step": 1')
    ranker = run_forward(make(), 1.0)
    log_of(ranker, tmp_path).record(ranker, 20, {})
    assert steps_in(tmp_path) == [20]


def test_other_ranks_compute_the_same_and_write_nothing(tmp_path: Path) -> None:
    ranker = run_forward(make(), 1.0)
    first, other = (log_of(ranker, tmp_path / n, writes=n == "0") for n in ("0", "1"))
    assert first.record(ranker, 10, {}) == other.record(ranker, 10, {})
    other.draw(ranker)
    assert not (tmp_path / "1").exists()


def test_families_without_learned_mixing_write_nothing(tmp_path: Path) -> None:
    ranker = make("rankmixer")
    log = log_of(ranker, tmp_path)
    assert log.record(run_forward(ranker, 1.0), 10, {}) == {}
    log.draw(ranker)
    assert list(tmp_path.iterdir()) == []
