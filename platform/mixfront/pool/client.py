"""The clients through which a trial calls the pool and its lane; every call has a deadline."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from mixfront.exceptions import AbortedError, LaneError, LaneRestarted
from mixfront.lanes import CommandKind, Outcome, Reply
from mixfront.pool.status import LaneGrant, LaneRefusal

_SLICE_S = 10.0  # long waits are split into calls of this length
_RESPONSE_S = 30.0  # for the response, after the wait itself
_TRIAL_OUTCOMES = (Outcome.OK, Outcome.FAILED, Outcome.INTERRUPTED, Outcome.DRAINED)
_CALL_ERRORS = (RayActorError, GetTimeoutError, ValueError)  # ValueError: no actor of that name


class WorkerGroupLost(LaneRestarted):
    """Raised when the worker group dies during a command.

    Args:
        message: Why it died.
        retry: Whether a new worker group might succeed.
    """

    def __init__(self, message: str, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class LaneLost(LaneError):
    """Raised when the lane itself is gone; the trial may lease another one."""


class LaneClient:
    """Client of a leased lane.

    Args:
        grant: The lease of the lane.
    """

    def __init__(self, grant: LaneGrant) -> None:
        self._actor = _ActorClient(grant.lane)
        self._token = grant.token
        self._restart_s = grant.restart_s
        self._generation = 0

    def wait_ready(self) -> int:
        """Wait until the lane has a worker group; returns the group's generation.

        Raises:
            AbortedError: If the trial is aborted or its lease has ended.
            LaneLost: If the lane is broken, or its node may be gone.
        """
        start = time.monotonic()
        while True:
            result = self._call("wait_ready", self._token, _SLICE_S)
            if isinstance(result, Reply):
                self._raise_for(result)
            if isinstance(result, int):
                self._generation = result
                return result
            waited = time.monotonic() - start
            if self._restart_s is not None and waited >= self._restart_s:
                raise LaneLost(f"the lane has had no worker group for {waited:.0f} s")

    def ask(self, kind: CommandKind, payload: Mapping[str, Any]) -> Reply:
        """Send a command and wait for OK, FAILED, INTERRUPTED or DRAINED.

        Raises:
            WorkerGroupLost: If the worker group dies during the command.
            AbortedError: If the lease has ended.
            LaneLost: If the lane is broken.
        """
        result = self._call("ask", self._token, self._generation, kind, payload, _SLICE_S)
        while not isinstance(result, Reply):
            command_id = result
            result = self._call("await_reply", command_id, _SLICE_S) or command_id
        if result.outcome not in _TRIAL_OUTCOMES:
            self._raise_for(result)
        return result

    def _raise_for(self, reply: Reply) -> None:
        error = reply.error or "no reason given"
        if reply.outcome in (Outcome.INTERRUPTED, Outcome.REFUSED):
            raise AbortedError(error)
        if reply.outcome is Outcome.RESTARTED:
            raise WorkerGroupLost(error, reply.retry)
        raise LaneLost(error)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._actor.call(method, *arguments)
        except _CALL_ERRORS as error:
            raise LaneLost(f"the lane's actor does not respond: {type(error).__name__}") from error


class PoolClient:
    """Client of the lane pool.

    Args:
        name: Name of the pool's actor.
    """

    def __init__(self, name: str) -> None:
        self._actor = _ActorClient(name)

    def lease(self, trial_id: str) -> "LeasedLane":
        """Lease a lane, waiting until one is free.

        Raises:
            AbortedError: If the trial is aborted, the pool is closing, or no lane is left.
        """
        while True:
            result = self._call("lease", trial_id, _SLICE_S)
            if isinstance(result, LaneRefusal):
                raise AbortedError(result.reason)
            if isinstance(result, LaneGrant):
                return LeasedLane(self, trial_id, result)

    def renew(self, token: int) -> bool:
        """Extend a lease; False if it has ended."""
        return bool(self._call("renew", token))

    def release(self, trial_id: str) -> None:
        """End a trial's lease."""
        self._call("release", trial_id)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._actor.call(method, *arguments)
        except _CALL_ERRORS as error:
            raise AbortedError(
                f"the lane pool does not respond: {type(error).__name__}"
            ) from error


class LeasedLane:
    """A leased lane; a thread renews the lease until `give_back`.

    Args:
        pool: The pool that granted the lease.
        trial_id: The trial that holds it.
        grant: The lease that the pool granted.
    """

    def __init__(self, pool: PoolClient, trial_id: str, grant: LaneGrant) -> None:
        self.lane = LaneClient(grant)
        self.workers = grant.workers
        self.max_failures = grant.max_failures
        self._pool = pool
        self._trial_id = trial_id
        self._grant = grant
        self._returned = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True, name="lane-lease")
        self._renewal.start()

    def give_back(self) -> None:
        """Release the lane; the pool cleans it."""
        self._returned.set()
        self._pool.release(self._trial_id)

    def _renew(self) -> None:
        while not self._returned.wait(self._grant.lease_s / 4):
            try:
                if not self._pool.renew(self._grant.token):
                    return
            except AbortedError:  # the pool is gone; the trial notices when it calls its lane
                return


class _ActorClient:
    """Client of a named actor, which is looked up at the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._handle: Any = None

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and wait for its result; raises one of _CALL_ERRORS."""
        if self._handle is None:
            self._handle = ray.get_actor(self._name)
        call = getattr(self._handle, method).remote(*arguments)
        return ray.get(call, timeout=_SLICE_S + _RESPONSE_S)
