"""Heartbeats, and what their answers say about aborting."""

import threading

from ray.exceptions import GetTimeoutError

from mixfront.lanes.heartbeat import HeartbeatThread
from mixfront.lanes.messages import Heartbeat, HeartbeatReply
from mixfront.lanes.stall_detector import StallDetector


class Mailbox:
    """Answers each beat with the next of its pulses, then says that the group is stale."""

    def __init__(self, *pulses: HeartbeatReply | Exception) -> None:
        self._pulses = list(pulses)
        self.beats: list[Heartbeat] = []
        self.over = threading.Event()

    def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        assert generation == 3
        self.beats.append(beat)
        if not self._pulses:
            self.over.set()
            return HeartbeatReply(abort=None, command_id=0, stale=True)
        pulse = self._pulses.pop(0)
        if isinstance(pulse, Exception):
            raise pulse
        return pulse


def beaten(*pulses: HeartbeatReply | Exception) -> tuple[HeartbeatThread, Mailbox]:
    mailbox, progress = Mailbox(*pulses), StallDetector()
    progress.tick()
    heart = HeartbeatThread(mailbox, 3, 1, progress, every_s=0.01)
    heart.start()
    assert mailbox.over.wait(10)
    return heart, mailbox


def test_an_abort_is_for_one_command_only() -> None:
    heart, mailbox = beaten(HeartbeatReply(abort="enough", command_id=7, stale=False))
    assert (heart.abort_of(7), heart.abort_of(8)) == ("enough", None)
    assert {(beat.rank, beat.ticks) for beat in mailbox.beats} == {(1, 1)}


def test_a_mailbox_that_is_slow_once_is_asked_again() -> None:
    heart, mailbox = beaten(
        GetTimeoutError("slow"), HeartbeatReply(abort=None, command_id=7, stale=False)
    )
    assert len(mailbox.beats) == 3
    assert heart.abort_of(7) is None
