"""Whether a thread is seen to move."""

import threading

from mixfront.lanes.stall_detector import StallDetector


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_thread_that_waits_stalls_until_it_ticks() -> None:
    clock, release = Clock(), threading.Event()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    progress = StallDetector(thread, clock)
    progress.look()
    clock.now = 10.0
    progress.look()  # it may have been on its way into the wait
    clock.now = 20.0
    assert progress.look() >= 10.0
    progress.tick()
    clock.now = 30.0
    assert progress.look() == 0.0
    release.set()
    thread.join()


def test_a_thread_that_moves_without_ticking_does_not_stall() -> None:
    clock, stations = Clock(), [threading.Event() for _ in range(2)]
    arrived = [threading.Event() for _ in range(2)]

    def walk() -> None:
        arrived[0].set()
        stations[0].wait()
        arrived[1].set()
        stations[1].wait()

    thread = threading.Thread(target=walk, daemon=True)
    progress = StallDetector(thread, clock)
    thread.start()
    arrived[0].wait()
    progress.look()
    stations[0].set()
    arrived[1].wait()
    clock.now = 10.0
    assert progress.look() == 0.0
    stations[1].set()
    thread.join()
    clock.now = 20.0
    progress.look()  # a thread that has ended is no error
