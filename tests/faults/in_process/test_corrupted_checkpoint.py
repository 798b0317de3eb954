"""A damaged checkpoint: the trial falls back to the one before, and ends with the same model."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from tests.faults.injections import Faults

from mixfront.data import Encoder, load_schema, open_dataset
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.training import DataRequest, TrainingConfig, TrialRequest, TrialSession
from mixfront.training.checkpoints.manifest import read_manifest
from mixfront.training.evaluation import Evaluation

MODEL = {
    "embedding_dim": 4,
    "num_tokens": 4,
    "token_dim": 8,
    "block_size": 4,
    "num_blocks": 1,
    "ffn_hidden": 8,
    "sinkhorn_iters": 5,
}
EVALUATIONS = 4
METRICS = ("auc", "uauc", "gauc", "logloss", "train_loss", "test_auc")


@dataclass(frozen=True)
class Trial:
    """A trial of which each attempt has its own folder."""

    data: DataRequest
    root: Path

    def request(self, name: str, resume_from: str | None = None) -> TrialRequest:
        """The trial, in a folder of this name."""
        training = {"batch_size": 256, "precision": "fp32", "evaluate_every": 1 / EVALUATIONS}
        return TrialRequest(
            search_id="s-1",
            trial_id="0",
            family="unimixer",
            model=MODEL,
            data=self.data,
            training=TrainingConfig.model_validate({"passes": 2, **training}),
            latency_seconds=0,
            folder=str(self.root / name),
            resume_from=resume_from,
        )


@dataclass(frozen=True)
class Outcome:
    """What the trial leaves behind."""

    metrics: dict[str, float]
    weights: dict[str, bytes]

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Outcome":
        """The metrics that do not depend on time, and the exported weights."""
        files = Path(str(evaluation.model_url)).rglob("*.safetensors")
        return cls(
            metrics={name: evaluation.metrics[name] for name in METRICS},
            weights={file.name: file.read_bytes() for file in files},
        )


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    root = tmp_path_factory.mktemp("trial")
    report = write_synthetic(root / "logs", 1500, seed=3)
    schema, dataset = load_schema(report.schema), open_dataset(report.path)
    Encoder.fit(dataset, schema, report.filters["train"]).save(str(root / "encoder"))
    data = DataRequest(path=report.path, encoder=str(root / "encoder"), **report.filters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(root / "cache"))
        patch.setenv("MIXFRONT_PEAK_FLOPS", "1e11")
        yield Trial(data, root)


@pytest.fixture(scope="module")
def undisturbed(trial: Trial) -> Outcome:
    session = TrialSession(trial.request("undisturbed"))
    return Outcome.of(finish(session))


def finish(session: TrialSession) -> Evaluation:
    """Train to the end."""
    while (evaluation := session.advance()).fidelity < 1:
        pass
    session.close()
    return evaluation


def truncate(file: Path, random: Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: random.randrange(len(data))])


def flip_a_bit(file: Path, random: Random) -> None:
    data = bytearray(file.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    file.write_bytes(data)


def delete(file: Path, _random: Random) -> None:
    file.unlink()


def empty(file: Path, _random: Random) -> None:
    file.write_bytes(b"")


DAMAGES: list[Callable[[Path, Random], None]] = [truncate, flip_a_bit, delete, empty]


def test_checkpoint_corrupted(faults: Faults, trial: Trial, undisturbed: Outcome) -> None:
    name = f"disturbed-{faults.random.random()}"
    session = TrialSession(trial.request(name))
    evaluations = [session.advance() for _ in range(faults.random.randrange(1, EVALUATIONS))]
    session.close()
    latest = evaluations[-1].checkpoint
    files = ["manifest.json", *read_manifest(latest).files]
    faults.random.choice(DAMAGES)(Path(latest, faults.random.choice(files)), faults.random)
    faults.injected += 1

    started = time.perf_counter()
    session = TrialSession(trial.request(name, resume_from=latest))
    assert session.step == (evaluations[-2].step if len(evaluations) > 1 else 0)
    repeated = session.advance()
    faults.cost(time.perf_counter() - started)
    assert repeated.step == evaluations[-1].step
    assert Outcome.of(finish(session)) == undisturbed
