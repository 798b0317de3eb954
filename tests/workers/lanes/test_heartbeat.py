"""Heartbeats, and the abort requests in their replies."""

import threading

from ray.exceptions import GetTimeoutError

from mixfront.lanes.heartbeat import HeartbeatThread
from mixfront.lanes.messages import Heartbeat, HeartbeatReply
from mixfront.lanes.stall_detector import StallDetector


class Mailbox:
    """Answers each heartbeat with the next of its replies, then reports the group as stale."""

    def __init__(self, *replies: HeartbeatReply | Exception) -> None:
        self._replies = list(replies)
        self.beats: list[Heartbeat] = []
        self.done = threading.Event()

    def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        assert generation == 3
        self.beats.append(beat)
        if not self._replies:
            self.done.set()
            return HeartbeatReply(abort=None, command_id=0, stale=True)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def run_heartbeats(*replies: HeartbeatReply | Exception) -> tuple[HeartbeatThread, Mailbox]:
    mailbox, stall_detector = Mailbox(*replies), StallDetector()
    stall_detector.tick()
    thread = HeartbeatThread(mailbox, 3, 1, stall_detector, interval_s=0.01)
    thread.start()
    assert mailbox.done.wait(10)
    return thread, mailbox


def test_an_abort_applies_to_one_command_only() -> None:
    thread, mailbox = run_heartbeats(HeartbeatReply(abort="enough", command_id=7, stale=False))
    assert (thread.abort_reason(7), thread.abort_reason(8)) == ("enough", None)
    assert {(beat.rank, beat.ticks) for beat in mailbox.beats} == {(1, 1)}


def test_a_timeout_does_not_end_the_heartbeats() -> None:
    thread, mailbox = run_heartbeats(
        GetTimeoutError("slow"), HeartbeatReply(abort=None, command_id=7, stale=False)
    )
    assert len(mailbox.beats) == 3
    assert thread.abort_reason(7) is None
