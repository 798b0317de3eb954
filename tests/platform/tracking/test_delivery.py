"""The thread that delivers, with a courier that does as it is told."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mixfront.tracking import delivery
from mixfront.tracking.delivery import Delivery
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.sender import MlflowSender
from mixfront.tracking.spool import Spool


class StubCourier(MlflowSender):
    """Keeps what it is given; fails while `is_away`."""

    def __init__(self) -> None:
        super().__init__("", "", "", {}, lambda *_: None)
        self.notes: list[int] = []
        self.pages: list[str] = []
        self.is_away = False
        self.attempts = threading.Semaphore(0)

    def deliver(self, notes: Sequence[RunUpdate]) -> None:
        self.attempts.release()
        if self.is_away:
            raise ConnectionError("http://me:secret@h is away")
        self.notes += [note.seq for note in notes]

    def show_page(self, html: str) -> None:
        self.pages.append(html)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LINGER_S", 0.01)
    monkeypatch.setattr(delivery, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(delivery, "MAX_WAIT_S", 0.02)


@pytest.fixture
def courier() -> StubCourier:
    return StubCourier()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path))
    yield spool
    spool.close()


def note(seq: int) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=0)


def front(seq: int) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=0, texts={"front.json": "{}"})


def test_notes_arrive_once_in_order_and_are_marked(spool: Spool, courier: StubCourier) -> None:
    queue = Delivery(spool, courier, [note(1)], None)
    queue.put(note(2))
    assert queue.flush(10)
    queue.put(note(3))
    assert queue.close(10)
    assert courier.notes == [1, 2, 3]
    assert spool.delivered().through == 3


def test_a_server_that_is_away_is_asked_until_it_is_back(
    spool: Spool, courier: StubCourier, caplog: pytest.LogCaptureFixture
) -> None:
    courier.is_away = True
    queue = Delivery(spool, courier, [], None)
    queue.put(note(1))
    for _ in range(3):
        courier.attempts.acquire(timeout=10)
    assert not queue.flush(0.05)
    courier.is_away = False
    assert queue.close(10)
    assert courier.notes == [1]
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2  # one when it went, one when it came back
    assert "secret" not in warnings[0]


def test_closing_gives_up_in_time_and_leaves_the_rest_to_the_spool(
    spool: Spool, courier: StubCourier
) -> None:
    courier.is_away = True
    queue = Delivery(spool, courier, [note(1)], None)
    courier.attempts.acquire(timeout=10)
    assert not queue.close(0.1)
    assert not queue._thread.is_alive()
    assert spool.delivered().through == 0


def test_large_backlogs_travel_in_batches(
    spool: Spool, courier: StubCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH_NOTES", 3)
    queue = Delivery(spool, courier, [note(seq) for seq in range(1, 11)], None)
    assert queue.close(10)
    assert courier.notes == list(range(1, 11))
    assert courier.attempts._value == 4


def test_the_page_is_made_at_the_end_and_not_for_every_front(
    spool: Spool, courier: StubCourier
) -> None:
    queue = Delivery(spool, courier, [], lambda: "<html>")
    queue.put(front(1))
    assert queue.flush(10)
    queue.put(front(2))
    assert queue.close(10)
    assert courier.pages == ["<html>"]
    assert spool.delivered().page == 2


def test_the_page_is_renewed_while_the_search_runs(
    spool: Spool, courier: StubCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PAGE_EVERY_S", 0.0)
    made = threading.Event()

    def page() -> str:
        made.set()
        return "<html>"

    queue = Delivery(spool, courier, [], page)
    queue.put(front(1))
    assert made.wait(10)
    assert queue.close(10)
    assert courier.pages == ["<html>"]


def test_a_page_that_an_earlier_driver_owed_is_made(spool: Spool, courier: StubCourier) -> None:
    assert Delivery(spool, courier, [], lambda: "<html>", front_seq=4).close(10)
    assert courier.pages == ["<html>"]
    assert Delivery(spool, courier, [], lambda: "<again>", front_seq=4).close(10)
    assert courier.pages == ["<html>"]


def test_a_page_that_cannot_be_made_holds_nothing_up(
    spool: Spool, courier: StubCourier, caplog: pytest.LogCaptureFixture
) -> None:
    def page() -> str:
        raise KeyError("auc")

    queue = Delivery(spool, courier, [], page)
    queue.put(front(1))
    assert queue.close(10)
    assert "could not be made" in caplog.text


def test_closing_with_nothing_to_do_returns(spool: Spool, courier: StubCourier) -> None:
    queue = Delivery(spool, courier, [], None)
    assert queue.flush(1)
    assert queue.close(10)
