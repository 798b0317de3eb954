"""Whether MLflow has everything of a search, by its spool."""

from pathlib import Path

import pytest

from mixfront.records import RecordStore
from mixfront.tracking.backlog import is_delivered
from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.tracking.spool import DeliveryMark, Spool

STARTED = RunUpdate(seq=1, time_ms=1, trial_id=None, status=RunStatus.RUNNING)
ENDED = RunUpdate(seq=2, time_ms=2, trial_id=None, status=RunStatus.FINISHED)
FRONT = RunUpdate(seq=1, time_ms=1, trial_id=None, texts={"front.json": "{}"})


@pytest.mark.parametrize(
    ("updates", "mark", "delivered"),
    [
        ((), DeliveryMark(), True),
        ((STARTED, ENDED), DeliveryMark(through=2), True),
        ((STARTED, ENDED), DeliveryMark(through=1), False),
        ((STARTED,), DeliveryMark(through=1), False),  # killed before it logged its end
        ((FRONT, ENDED), DeliveryMark(through=2, page=0), False),
        ((FRONT, ENDED), DeliveryMark(through=2, page=2), True),
    ],
)
def test_mlflow_has_everything_or_not(
    tmp_path: Path, updates: tuple[RunUpdate, ...], mark: DeliveryMark, delivered: bool
) -> None:
    store = RecordStore(str(tmp_path), "s")
    spool = Spool(f"{store.url}/spool")
    for update in updates:
        spool.append(update)
    spool.mark(mark)
    spool.close()
    assert is_delivered(store) is delivered
