"""The space of a resumed search."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from mixfront.exceptions import SpecError
from mixfront.records.store import SearchRecord
from mixfront.search.recorded_space import recorded_space
from mixfront.spaces import load_space
from mixfront.spec.search_spec import SearchSpec

BEFORE = """
families:
  rankmixer:
    num_tokens: {kind: choice, values: [4, 8]}
    num_blocks: {kind: int, low: 1, high: 2}
shared:
  optimizer.lr: {kind: float, low: 1e-3, high: 1e-2, log: true}
"""


@pytest.fixture
def spec(tmp_path: Path, make_spec: Callable[..., SearchSpec]) -> SearchSpec:
    (tmp_path / "mine.yaml").write_text(BEFORE)
    return make_spec(space=str(tmp_path / "mine.yaml"))


@pytest.fixture
def study(spec: SearchSpec) -> optuna.Study:
    """A study with a few trials of the space."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        load_space(spec.space).suggest(study.ask())
    return study


def search_with(space: str | None) -> SearchRecord:
    return SearchRecord(
        search_id="s-0",
        name="s",
        spec={},
        objectives=[],
        reference_point=[],
        optuna_storage="",
        tracking_uri="",
        experiment="",
        space=space,
    )


def test_the_saved_space_is_used_even_if_its_source_is_gone(
    spec: SearchSpec, study: optuna.Study, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.yaml"
    saved.write_text(BEFORE)
    Path(spec.space).unlink()
    assert recorded_space(search_with(str(saved)), spec, study) == load_space(str(saved))


def test_a_search_without_a_saved_space_uses_an_unchanged_one(
    spec: SearchSpec, study: optuna.Study
) -> None:
    assert recorded_space(search_with(None), spec, study) == load_space(spec.space)


@pytest.mark.parametrize(
    ("old", "new", "earlier"),
    [
        ("values: [4, 8]", "values: [2, 4, 8]", "'rankmixer.num_tokens' was one of 4, 8"),
        ("log: true", "log: false", "'optimizer.lr' was a different range, Float"),
        ("kind: int,", "kind: float,", "'rankmixer.num_blocks' was a different range, Int"),
        ("families:", "families:\n  dcnv2: {}", "'family' was one of rankmixer"),
    ],
)
def test_a_changed_space_is_refused(
    spec: SearchSpec, study: optuna.Study, old: str, new: str, earlier: str
) -> None:
    Path(spec.space).write_text(BEFORE.replace(old, new, 1))
    with pytest.raises(SpecError) as raised:
        recorded_space(search_with(None), spec, study)
    assert earlier in str(raised.value)
    assert "cannot be resumed, but its finished trials can be promoted" in str(raised.value)


def test_a_new_parameter_and_a_wider_range_are_no_obstacle(
    spec: SearchSpec, study: optuna.Study
) -> None:
    wider = BEFORE.replace("high: 2}", "high: 3}\n    ffn_hidden: {kind: choice, values: [16]}")
    Path(spec.space).write_text(wider)
    assert "ffn_hidden" in recorded_space(search_with(None), spec, study).families["rankmixer"]
