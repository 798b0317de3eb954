"""The spool keeps every update, whatever kills its writer."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.tracking.spool import DeliveryMark, Spool


@pytest.fixture(params=["local", "object store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "spool") if request.param == "local" else f"memory:/{tmp_path}/spool"


def update(seq: int) -> RunUpdate:
    metrics = {"auc": 0.5 + seq / 100, "uauc": float("inf")}
    return RunUpdate(seq=seq, time_ms=seq, trial_id="3", metrics=metrics, status=RunStatus.RUNNING)


def test_notes_come_back_in_order(url: str) -> None:
    spool = Spool(url)
    updates = [update(seq) for seq in range(1, 6)]
    for each in updates[:3]:
        spool.append(each)
    spool.sync()
    for each in updates[3:]:
        spool.append(each)
    spool.sync()
    spool.sync()  # nothing waits: nothing is written
    spool.close()
    assert Spool(url).replay() == updates


def test_each_writer_has_segments_of_its_own(url: str) -> None:
    for seq in (1, 2, 3):
        spool = Spool(url)
        spool.append(update(seq))
        spool.sync()
        spool.close()
    assert [each.seq for each in Spool(url).replay()] == [1, 2, 3]
    assert len(Spool(url)._segments()) == 3


def test_the_mark_comes_back(url: str) -> None:
    mark = DeliveryMark(through=7, page=5, runs={"": "abc", "3": "def"})
    spool = Spool(url)
    assert spool.delivered() == DeliveryMark()
    spool.mark(mark)
    assert Spool(url).delivered() == mark


def test_a_torn_last_line_is_skipped(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool.append(update(1))
    spool.append(update(2))
    spool.close()
    segment = tmp_path / "000001.jsonl"
    segment.write_bytes(segment.read_bytes()[:-20])
    later = Spool(str(tmp_path))
    later.append(update(3))
    later.close()
    assert [each.seq for each in later.replay()] == [1, 3]


def test_a_mark_that_cannot_be_read_means_deliver_again(tmp_path: Path) -> None:
    (tmp_path / "delivered.json").write_text('{"through": 1')
    assert Spool(str(tmp_path)).delivered() == DeliveryMark()


def test_an_object_store_gets_whole_segments_and_no_waiting_is_lost_by_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spool = Spool("memory://flaky/spool")
    spool.append(update(1))
    with monkeypatch.context() as broken:
        broken.setattr(spool._fs, "pipe_file", _refuse)
        with pytest.raises(OSError, match="store is away"):
            spool.sync()
    spool.append(update(2))
    spool.sync()
    assert [each.seq for each in spool.replay()] == [1, 2]


def _refuse(*_: object) -> None:
    raise OSError("the store is away")


def test_sigkill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    """The child says how far it is after each append; the kill comes at no special moment."""
    code = (
        "import sys\n"
        "from mixfront.tracking.run_update import RunUpdate\n"
        "from mixfront.tracking.spool import Spool\n"
        "spool = Spool(sys.argv[1])\n"
        "for seq in range(1, 10**9):\n"
        "    spool.append(RunUpdate(seq=seq, time_ms=seq, metrics={'auc': 0.5}))\n"
        "    sys.stdout.write(f'{seq}\\n')\n"
        "    sys.stdout.flush()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        child.kill()
        said = [int(line) for line in child.stdout.read().split("\n")[:-1]]
    kept = [each.seq for each in Spool(str(tmp_path)).replay()]
    assert kept[: said[-1]] == list(range(1, said[-1] + 1))
    assert len(kept) <= said[-1] + 1
