"""The spool keeps every update, even if its writer is killed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mixfront.records.fence import Fence
from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.tracking.spool import DeliveryMark, Spool


@pytest.fixture(params=["local", "object store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "spool") if request.param == "local" else f"memory:/{tmp_path}/spool"


def update(seq: int) -> RunUpdate:
    metrics = {"auc": 0.5 + seq / 100, "uauc": float("inf")}
    return RunUpdate(seq=seq, time_ms=seq, trial_id="3", metrics=metrics, status=RunStatus.RUNNING)


def test_updates_are_replayed_in_order(url: str) -> None:
    spool = Spool(url)
    updates = [update(seq) for seq in range(1, 6)]
    for each in updates[:3]:
        spool.append(each)
    spool.sync()
    for each in updates[3:]:
        spool.append(each)
    spool.sync()
    spool.sync()  # writes nothing
    spool.close()
    assert Spool(url).replay() == updates


def test_each_writer_has_its_own_segments(url: str) -> None:
    for seq in (1, 2, 3):
        spool = Spool(url)
        spool.append(update(seq))
        spool.sync()
        spool.close()
    assert [each.seq for each in Spool(url).replay()] == [1, 2, 3]
    assert len(Spool(url)._segments()) == 3


def test_the_delivery_mark_is_read_back(url: str) -> None:
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
    segment = tmp_path / "000000-000001.jsonl"
    segment.write_bytes(segment.read_bytes()[:-20])
    later = Spool(str(tmp_path))
    later.append(update(3))
    later.close()
    assert [each.seq for each in later.replay()] == [1, 3]


@pytest.mark.parametrize("path", ["..", "../../x", "/etc/x", "a/../b", "", "a\nb", "x" * 300])
def test_a_planted_line_whose_artifact_leaves_the_run_is_skipped(
    tmp_path: Path, path: str
) -> None:
    """MLflow's error would look like an outage, and delivery would retry it forever."""
    planted = {"seq": 2, "time_ms": 2, "trial_id": "3", "texts": {path: "x"}}
    lines = [update(1).to_line(), json.dumps(planted), update(3).to_line()]
    (tmp_path / "000001-000001.jsonl").write_text("\n".join(lines))
    assert [each.seq for each in Spool(str(tmp_path)).replay()] == [1, 3]


def test_a_folder_called_like_a_file_of_the_spool_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "000001-000001.jsonl").mkdir()
    (tmp_path / "000001-delivered.json").mkdir()
    spool = Spool(str(tmp_path))
    assert spool.replay() == []
    assert spool.delivered() == DeliveryMark()


def test_an_unreadable_mark_counts_as_nothing_delivered(tmp_path: Path) -> None:
    (tmp_path / "000000-delivered.json").write_text('{"through": 1')
    assert Spool(str(tmp_path)).delivered() == DeliveryMark()


def test_a_failed_sync_to_an_object_store_loses_no_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spool = Spool("memory://flaky/spool")
    spool.append(update(1))
    with monkeypatch.context() as patch:
        patch.setattr(spool._fs, "pipe_file", _refuse)
        with pytest.raises(OSError, match="unreachable"):
            spool.sync()
    spool.append(update(2))
    spool.sync()
    assert [each.seq for each in spool.replay()] == [1, 2]


def test_what_a_replaced_driver_still_writes_is_ignored(url: str) -> None:
    """The first driver has written 1 and 2 when the second takes over, and then 3 and 4."""
    first = Spool(url, Fence(epoch=1))
    for seq in (1, 2):
        first.append(update(seq))
    first.sync()
    first.mark(DeliveryMark(through=2))
    second = Spool(url, Fence(epoch=2))
    assert [each.seq for each in second.replay()] == [1, 2]
    second.mark(second.delivered())
    later = update(3).model_copy(update={"trial_id": "of the second"})
    second.append(later)
    second.sync()
    for seq in (3, 4):
        first.append(update(seq))
    first.sync()
    first.mark(DeliveryMark(through=4))
    third = Spool(url, Fence(epoch=3))
    assert third.replay() == [update(1), update(2), later]
    assert third.delivered() == DeliveryMark(through=2)


def test_nothing_is_written_once_the_lease_is_lost(url: str) -> None:
    lost: list[str] = []
    spool = Spool(url, Fence(1, lambda: lost[0] if lost else None))
    spool.append(update(1))
    spool.sync()
    lost.append("the lease is lost")
    spool.append(update(2))
    spool.sync()
    spool.mark(DeliveryMark(through=1))
    assert Spool(url).replay() == [update(1)]
    assert Spool(url).delivered() == DeliveryMark()


def test_a_spool_of_version_0_1_is_continued(tmp_path: Path) -> None:
    (tmp_path / "000001.jsonl").write_text(update(1).to_line() + "\n")
    (tmp_path / "delivered.json").write_text('{"through": 1}')
    spool = Spool(str(tmp_path), Fence(epoch=1))
    assert spool.delivered() == DeliveryMark(through=1)
    spool.append(update(2))
    spool.mark(DeliveryMark(through=2))
    spool.close()
    assert spool.replay() == [update(1), update(2)]
    assert spool.delivered() == DeliveryMark(through=2)


def _refuse(*_: object) -> None:
    raise OSError("the store is unreachable")


def test_sigkill_loses_no_appended_update(tmp_path: Path) -> None:
    """The child reports its progress after each append and is killed at an arbitrary moment."""
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
        reported = [int(line) for line in child.stdout.read().split("\n")[:-1]]
    replayed = [each.seq for each in Spool(str(tmp_path)).replay()]
    assert replayed[: reported[-1]] == list(range(1, reported[-1] + 1))
    assert len(replayed) <= reported[-1] + 1
