"""A trial's data: listed once, opened once, released at the end."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data import open_dataset
from mixfront.exceptions import DataError
from mixfront.training import DataRequest, TrialRequest, TrialSession
from mixfront.training.trial_data import TrialData

MakeRequest = Callable[..., TrialRequest]


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose files have been listed."""
    listed: list[str] = []
    find = fsspec.AbstractFileSystem.find

    def count(source: Any, path: str, *arguments: Any, **options: Any) -> Any:
        listed.append(path)
        return find(source, path, *arguments, **options)

    monkeypatch.setattr(fsspec.AbstractFileSystem, "find", count)
    return listed


def mapped_splits(cache: Path) -> list[str]:
    """Files of encoded rows that this process has mapped into its memory."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in maps if str(cache) in line]


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_a_session_lists_once_and_maps_its_splits_until_it_is_closed(
    make_request: MakeRequest,
    listings: list[str],
    cache: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path / "cache"))
    if cache == "warm":
        first = TrialSession(make_request(name="first", passes=1, evaluate_every=1.0))
        first.advance()
        first.close()
        listings.clear()
    request = make_request(evaluate_every=0.25)
    session = TrialSession(request)
    for _ in range(4):
        session.advance()
    assert session.fidelity == 1
    assert listings.count(request.data.path) == 1
    assert mapped_splits(tmp_path / "cache")
    session.close()
    assert mapped_splits(tmp_path / "cache") == []


def test_the_next_trial_notices_that_the_data_has_changed(
    data: DataRequest, tmp_path: Path
) -> None:
    shutil.copytree(data.path, tmp_path / "logs")
    request = data.model_copy(update={"path": str(tmp_path / "logs")})
    before = TrialData(request)
    file = max((tmp_path / "logs").rglob("*.parquet"))
    rows = pq.ParquetFile(file).read()
    pq.write_table(pa.concat_tables([rows, rows]), file)
    after = TrialData(request)
    assert before.digest != after.digest == open_dataset(request.path).digest
    assert before.test is not None
    assert after.test is not None
    assert after.test.num_rows == 2 * before.test.num_rows


def test_without_a_test_filter_there_are_no_test_rows(data: DataRequest) -> None:
    assert TrialData(data.model_copy(update={"test": None})).test is None


def test_rows_that_cannot_be_used_are_refused_before_the_first_step(
    make_request: MakeRequest,
) -> None:
    request = make_request()
    data = request.data.model_copy(update={"test": "date == 1"})
    with pytest.raises(DataError, match="'date == 1' selects no rows"):
        TrialSession(request.model_copy(update={"data": data}))


def test_a_model_says_which_data_it_was_trained_on(make_request: MakeRequest) -> None:
    request = make_request(passes=1, evaluate_every=1.0)
    session = TrialSession(request)
    url = session.advance().model_url
    session.close()
    about = json.loads((Path(str(url)) / "model.json").read_text())
    assert about["dataset_digest"] == open_dataset(request.data.path).digest


def test_data_that_the_search_did_not_start_with_is_refused(
    make_request: MakeRequest,
) -> None:
    data = make_request().data
    digest = open_dataset(data.path).digest
    TrialData(data.model_copy(update={"digest": digest})).close()
    with pytest.raises(DataError, match="is not the one that the search started with"):
        TrialData(data.model_copy(update={"digest": f"footers:{'0' * 64}"}))
    TrialData(data.model_copy(update={"digest": "0" * 64})).close()  # of an earlier version
