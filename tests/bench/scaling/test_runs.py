"""Runs are identified by what changes their result, and the time left shrinks as they finish."""

from dataclasses import replace
from pathlib import Path

from tests.bench.scaling.runs import ResultFile, Run, RunResult, missing
from tests.bench.scaling.workers import Progress

RUN = Run(
    label="rankmixer",
    size="S",
    family="rankmixer",
    model={"token_dim": 16},
    training={"optimizer": {"lr": 1e-3}},
    seed=1,
)
RESULT = RunResult(
    key=RUN.key,
    label="rankmixer",
    size="S",
    seed=1,
    learning_rate=1e-3,
    params=10,
    flops=1e9,
    validation_auc=0.6,
    auc=0.6,
    train_loss=0.5,
    seconds=60,
    samples_per_s=1000,
)


def test_keys_depend_on_model_training_and_seed_but_not_on_names_or_explicit_defaults() -> None:
    same = replace(RUN, label="baseline", size="M", model={"token_dim": 16, "num_blocks": 2})
    others = [
        replace(RUN, seed=2),
        replace(RUN, model={"token_dim": 32}),
        replace(RUN, training={"optimizer": {"lr": 1e-3}, "batch_size": 512}),
    ]
    assert same.key == RUN.key
    assert len({run.key for run in (RUN, *others)}) == 4
    assert missing([RUN, same, *others], {RUN.key: RESULT}) == others
    assert missing([RUN, same], {}) == [same]


def test_a_line_cut_off_is_ignored_and_then_replaced(tmp_path: Path) -> None:
    file = ResultFile(tmp_path / "new" / "results.jsonl")
    assert file.read() == {}
    file.append(RESULT)
    with file.path.open("a") as text:
        text.write('{"key": "half')
    assert file.read() == {RESULT.key: RESULT}
    other = replace(RESULT, key="other")
    file.append(other)
    assert file.read() == {RESULT.key: RESULT, "other": other}


def test_progress_estimates_the_time_left_from_the_work_done() -> None:
    progress = Progress({RUN.key: 1.0, "large": 5.0}, num_workers=1)
    line = progress.line(RESULT)
    assert "1/2" in line
    assert "about 5 min left" in line
