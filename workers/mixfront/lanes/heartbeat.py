"""Heartbeats of one rank, sent from a side thread."""

import threading
from typing import Protocol

from ray.exceptions import GetTimeoutError, RayError

from mixfront.lanes.messages import Heartbeat, HeartbeatReply
from mixfront.lanes.stall_detector import StallDetector


class HeartbeatReceiver(Protocol):
    """Where heartbeats go."""

    def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        """Send one heartbeat; the reply says whether to stop."""


class HeartbeatThread:
    """Sends heartbeats until stopped, and keeps the mailbox's last reply.

    Args:
        receiver: Where to send them.
        generation: Generation of this worker group.
        rank: Rank of this worker.
        stall_detector: Watches the main loop.
        interval_s: Seconds between two heartbeats.
    """

    def __init__(
        self,
        receiver: HeartbeatReceiver,
        generation: int,
        rank: int,
        stall_detector: StallDetector,
        interval_s: float,
    ) -> None:
        self._receiver = receiver
        self._generation = generation
        self._rank = rank
        self._stall_detector = stall_detector
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="lane-heartbeat")
        self._last_reply: HeartbeatReply | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, without waiting for it."""
        self._stop.set()

    def abort_reason(self, command_id: int) -> str | None:
        """Why a command must stop, according to the last reply."""
        reply = self._last_reply
        return reply.abort if reply is not None and reply.command_id == command_id else None

    def _run(self) -> None:
        while not self._stop.is_set():
            beat = Heartbeat(
                rank=self._rank,
                ticks=self._stall_detector.ticks,
                stalled_s=self._stall_detector.observe(),
            )
            try:
                reply = self._receiver.heartbeat(self._generation, beat)
            except GetTimeoutError:
                continue
            except RayError:  # mailbox and driver are gone, so Ray ends this process too
                return
            if reply.stale:
                return
            self._last_reply = reply
            self._stop.wait(self._interval_s)
