"""Detection of threads that make no progress."""

import threading
import time

import pytest

from mixfront.lanes.stall_detector import StallDetector
from mixfront.training.work_counter import WorkCounter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_thread_that_waits_stalls_until_it_ticks() -> None:
    clock, release = Clock(), threading.Event()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    detector = StallDetector(thread, clock)
    detector.observe()
    clock.now = 10.0
    detector.observe()  # the thread may not have been waiting yet
    clock.now = 20.0
    assert detector.observe() >= 10.0
    detector.tick()
    clock.now = 30.0
    assert detector.observe() == 0.0
    release.set()
    thread.join()


def test_a_thread_that_waits_for_an_upload_advances_with_its_pieces() -> None:
    clock, release, work = Clock(), threading.Event(), WorkCounter()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    detector = StallDetector(thread, clock, work)
    for seconds in (10.0, 20.0, 30.0):
        work.add()
        clock.now = seconds
        assert detector.observe() == 0.0
    clock.now = 40.0
    assert detector.observe() == 10.0
    release.set()
    thread.join()


def test_a_thread_that_advances_without_ticking_does_not_stall() -> None:
    clock, gates = Clock(), [threading.Event() for _ in range(2)]
    arrived = [threading.Event() for _ in range(2)]

    def walk() -> None:
        arrived[0].set()
        gates[0].wait()
        arrived[1].set()
        gates[1].wait()

    thread = threading.Thread(target=walk, daemon=True)
    detector = StallDetector(thread, clock)
    thread.start()
    arrived[0].wait()
    detector.observe()
    gates[0].set()
    arrived[1].wait()
    clock.now = 10.0
    assert detector.observe() == 0.0
    gates[1].set()
    thread.join()
    clock.now = 20.0
    detector.observe()  # observing an ended thread must not raise


def test_a_thread_that_only_uses_cpu_stalls_five_times_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a hung wait of NCCL, which spins."""
    clock, release = Clock(), threading.Event()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    monkeypatch.setattr(time, "clock_gettime", lambda _: clock.now)  # it is always busy
    detector = StallDetector(thread, clock)
    detector.observe()
    clock.now = 10.0
    first = detector.observe()  # the thread may not have been waiting yet
    clock.now = 60.0
    assert detector.observe() == pytest.approx(first + 50 / 5)
    detector.tick()
    assert detector.observe() == 0.0
    release.set()
    thread.join()
