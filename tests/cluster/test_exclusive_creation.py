"""Of several creators of one search on S3, one wins and the others get one sentence."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.cluster.services.object_store import ObjectStore

from mixfront.exceptions import SpecError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.whole_files import create_file
from mixfront.spec.objectives import Objective

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CREATORS = 4


@pytest.fixture(autouse=True)
def user(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in objects.environment.items():
        monkeypatch.setenv(name, value)


def record(creator: int) -> SearchRecord:
    return SearchRecord(
        search_id=f"once-{creator}",
        name="once",
        spec={},
        objectives=[Objective(metric="auc", direction="max")],
        reference_point=[0.5],
        optuna_storage="",
        tracking_uri="",
        experiment="e",
    )


def test_the_server_refuses_a_second_put(objects: ObjectStore) -> None:
    """With `If-None-Match`, which is what the rest of this file depends on."""
    fs = objects.file_system()
    create_file(fs, "searches/put-once", b"first")
    with pytest.raises(FileExistsError):
        create_file(fs, "searches/put-once", b"second")
    assert fs.cat_file("searches/put-once") == b"first"


@pytest.mark.parametrize("attempt", range(5))
def test_one_of_several_creators_wins(attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks first, so that only the put itself decides."""
    monkeypatch.setattr(RecordStore, "refuse_existing", lambda _self: None)
    barrier = Barrier(CREATORS)

    def create(creator: int) -> str | None:
        store = RecordStore(f"s3://searches/attempt-{attempt}", "once")
        barrier.wait()
        try:
            store.create(record(creator))
        except SpecError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(CREATORS) as threads:
        messages = list(threads.map(create, range(CREATORS)))
    [winner] = [creator for creator, message in enumerate(messages) if message is None]
    stored = RecordStore(f"s3://searches/attempt-{attempt}", "once").search()
    assert stored.search_id == f"once-{winner}"
    losers = [message for message in messages if message is not None]
    assert all("a search named 'once' already exists in s3://" in message for message in losers)
