"""The static picture of the front."""

from pathlib import Path

import pytest

from mixfront.exceptions import UsageError
from mixfront.pareto import save_picture
from mixfront.records import SearchRecord, TrialRecord


@pytest.mark.parametrize(
    ("name", "magic"), [("a/front.svg", b"<?xml"), ("front.png", b"\x89PNG"), ("f.pdf", b"%PDF")]
)
def test_the_suffix_sets_the_format(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path, name: str, magic: bytes
) -> None:
    save_picture(search, trials, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_search_without_trials_gives_an_empty_picture(
    search: SearchRecord, tmp_path: Path
) -> None:
    save_picture(search, [], tmp_path / "front.svg")
    assert (tmp_path / "front.svg").exists()


def test_an_unsupported_format_and_a_single_objective_are_refused(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"'front\.gif' is not supported"):
        save_picture(search, trials, tmp_path / "front.gif")
    search.objectives = search.objectives[:1]
    with pytest.raises(UsageError, match="one objective"):
        save_picture(search, trials, tmp_path / "front.svg")
