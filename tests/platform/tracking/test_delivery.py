"""The delivery thread, with a stub sender."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mixfront.tracking import delivery
from mixfront.tracking.delivery import Delivery
from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.tracking.sender import MlflowSender
from mixfront.tracking.spool import Spool


class StubSender(MlflowSender):
    """Records what it is given; fails while `is_unreachable`."""

    def __init__(self) -> None:
        super().__init__("", "", "", {}, lambda *_: None)
        self.updates: list[int] = []
        self.pages: list[str] = []
        self.is_unreachable = False
        self.attempts = threading.Semaphore(0)

    def deliver(self, updates: Sequence[RunUpdate]) -> None:
        self.attempts.release()
        if self.is_unreachable:
            raise ConnectionError("cannot connect to http://me:secret@h")
        self.updates += [update.seq for update in updates]

    def show_page(self, path: str, content: str) -> None:
        assert path == "front.html"
        self.pages.append(content)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LINGER_S", 0.01)
    monkeypatch.setattr(delivery, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(delivery, "MAX_WAIT_S", 0.02)


@pytest.fixture
def sender() -> StubSender:
    return StubSender()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path))
    yield spool
    spool.close()


def update(seq: int) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=0)


def front(seq: int) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=0, texts={"front.json": "{}"})


def test_updates_are_delivered_once_and_in_order(spool: Spool, sender: StubSender) -> None:
    queue = Delivery(spool, sender, [update(1)], None)
    queue.put(update(2))
    assert queue.flush(10)
    queue.put(update(3))
    assert queue.close(10)
    assert sender.updates == [1, 2, 3]
    assert spool.delivered().through == 3


def test_delivery_is_retried_until_the_server_is_reachable(
    spool: Spool, sender: StubSender, caplog: pytest.LogCaptureFixture
) -> None:
    sender.is_unreachable = True
    queue = Delivery(spool, sender, [], None)
    queue.put(update(1))
    for _ in range(3):
        sender.attempts.acquire(timeout=10)
    assert not queue.flush(0.05)
    sender.is_unreachable = False
    assert queue.close(10)
    assert sender.updates == [1]
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2  # one when it became unreachable, one when it came back
    assert "secret" not in warnings[0]


def test_close_gives_up_in_time_and_leaves_the_rest_in_the_spool(
    spool: Spool, sender: StubSender
) -> None:
    sender.is_unreachable = True
    queue = Delivery(spool, sender, [update(1)], None)
    sender.attempts.acquire(timeout=10)
    assert not queue.close(0.1)
    assert not queue._thread.is_alive()
    assert spool.delivered().through == 0


def test_a_large_backlog_is_delivered_in_batches(
    spool: Spool, sender: StubSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH_SIZE", 3)
    queue = Delivery(spool, sender, [update(seq) for seq in range(1, 11)], None)
    assert queue.close(10)
    assert sender.updates == list(range(1, 11))
    assert sender.attempts._value == 4


def test_the_page_is_not_rendered_for_every_front(spool: Spool, sender: StubSender) -> None:
    queue = Delivery(spool, sender, [], lambda: {"front.html": "<html>"})
    queue.put(front(1))
    assert queue.flush(10)
    queue.put(front(2))
    assert queue.close(10)
    assert sender.pages == ["<html>"]
    assert spool.delivered().page == 2


def test_the_page_is_refreshed_while_the_search_runs(
    spool: Spool, sender: StubSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PAGE_EVERY_S", 0.0)
    rendered = threading.Event()

    def page() -> dict[str, str]:
        rendered.set()
        return {"front.html": "<html>"}

    queue = Delivery(spool, sender, [], page)
    queue.put(front(1))
    assert rendered.wait(10)
    assert queue.close(10)
    assert sender.pages == ["<html>"]


def test_the_page_is_refreshed_when_the_search_ends(
    spool: Spool, sender: StubSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PAGE_EVERY_S", 0.01)
    state = "running"
    rendered = threading.Event()

    def page() -> dict[str, str]:
        rendered.set()
        return {"front.html": f"<html>{state}"}

    queue = Delivery(spool, sender, [], page)
    queue.put(front(1))
    assert rendered.wait(5)
    state = "finished"
    queue.put(RunUpdate(seq=2, time_ms=0, status=RunStatus.FINISHED))
    assert queue.close(5)
    assert sender.pages[-1] == "<html>finished"


def test_a_page_that_an_earlier_driver_did_not_deliver_is_rendered_once(
    spool: Spool, sender: StubSender
) -> None:
    assert Delivery(spool, sender, [], lambda: {"front.html": "<html>"}, page_seq=4).close(10)
    assert sender.pages == ["<html>"]
    assert Delivery(spool, sender, [], lambda: {"front.html": "<again>"}, page_seq=4).close(10)
    assert sender.pages == ["<html>"]


def test_a_page_that_fails_to_render_does_not_block_delivery(
    spool: Spool, sender: StubSender, caplog: pytest.LogCaptureFixture
) -> None:
    def page() -> dict[str, str]:
        raise KeyError("auc")

    queue = Delivery(spool, sender, [], page)
    queue.put(front(1))
    assert queue.close(10)
    assert "could not be rendered" in caplog.text


def test_close_with_an_empty_queue_returns(spool: Spool, sender: StubSender) -> None:
    queue = Delivery(spool, sender, [], None)
    assert queue.flush(1)
    assert queue.close(10)
