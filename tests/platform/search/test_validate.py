"""What can be checked of a spec without data."""

from pathlib import Path

import pytest

from mixfront.exceptions import SpecError
from mixfront.search.validate import check_filters, sample_space
from mixfront.spaces import load_space
from mixfront.spec.search_spec import load_spec


@pytest.fixture(autouse=True)
def _work_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sample_has_the_range_of_the_feasible_costs() -> None:
    spec = load_spec("demo", ["constraints.params=<= 1e5"])
    sample = sample_space(spec, load_space(spec.space), 6)
    assert 0 < sample.feasible <= sample.drawn == 6
    low, high = sample.costs["params"]
    assert 0 < low <= high <= 1e5
    assert sample_space(spec, load_space(spec.space), 6) == sample, "drawn with a fixed seed"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_filter_of_every_split_is_parsed(split: str) -> None:
    check_filters(load_spec("demo", ["data.train=null", "data.test=null"]))
    with pytest.raises(SpecError, match="position 6"):
        check_filters(load_spec("demo", [f"data.{split}=date = 1"]))
