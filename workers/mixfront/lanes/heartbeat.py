"""Heartbeats of one rank, from a side thread."""

import threading
from typing import Protocol

from ray.exceptions import GetTimeoutError, RayError

from mixfront.lanes.messages import Heartbeat, HeartbeatReply
from mixfront.lanes.stall_detector import StallDetector


class HeartbeatReceiver(Protocol):
    """Where heartbeats go."""

    def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        """Send one; the answer says whether to stop."""


class HeartbeatThread:
    """HeartbeatReceiver until stopped; keeps the mailbox's last answer.

    Args:
        beats: Where to send them.
        generation: Of this worker group.
        rank: Of this worker.
        progress: The main loop, as seen from here.
        every_s: Between two beats.
    """

    def __init__(
        self,
        beats: HeartbeatReceiver,
        generation: int,
        rank: int,
        progress: StallDetector,
        every_s: float,
    ) -> None:
        self._beats = beats
        self._generation = generation
        self._rank = rank
        self._progress = progress
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lane-heart")
        self._pulse: HeartbeatReply | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns at once."""
        self._stop.set()

    def abort_of(self, command_id: int) -> str | None:
        """Why a command is to stop, as far as the last answer goes."""
        pulse = self._pulse
        return pulse.abort if pulse is not None and pulse.command_id == command_id else None

    def _beat(self) -> None:
        while not self._stop.is_set():
            beat = Heartbeat(
                rank=self._rank, ticks=self._progress.ticks, stalled_s=self._progress.look()
            )
            try:
                pulse = self._beats.heartbeat(self._generation, beat)
            except GetTimeoutError:
                continue
            except RayError:  # the mailbox is gone, and with it the driver: Ray ends this process
                return
            if pulse.stale:
                return
            self._pulse = pulse
            self._stop.wait(self._every_s)
