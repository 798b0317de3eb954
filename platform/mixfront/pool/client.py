"""A trial's line to the pool and to the lane it leased; every wait has a deadline."""

import threading
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from mixfront.exceptions import AbortedError, LaneError, LaneRestarted
from mixfront.lanes import CommandKind, Outcome, Reply
from mixfront.pool.actor import LaneGrant, LaneRefusal

_SLICE_S = 10.0  # of a long wait: between two slices the asker looks around
_ANSWER_S = 30.0
_LINE_ERRORS = (RayActorError, GetTimeoutError, ValueError)  # ValueError: no actor of that name


class WorkerGroupLost(LaneRestarted):
    """Raised when the worker group died under a command.

    Args:
        message: Why.
        retry: Whether another worker group may do better.
    """

    def __init__(self, message: str, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class LaneLost(LaneError):
    """Raised when the lane itself is gone: another one may be leased."""


class LaneClient:
    """A leased lane.

    Args:
        name: Of the lane's actor.
        token: Of the lease.
    """

    def __init__(self, name: str, token: int) -> None:
        self._line = _ActorClient(name)
        self._token = token
        self._generation = 0

    def wait_ready(self) -> None:
        """Wait for a worker group.

        Raises:
            AbortedError: If the trial is aborted, or its lease is over.
            LaneLost: If the lane is broken.
        """
        while True:
            found = self._call("wait_ready", self._token, _SLICE_S)
            if isinstance(found, Reply):
                self._raise_for(found)
            if isinstance(found, int):
                self._generation = found
                return

    def ask(self, kind: CommandKind, payload: Mapping[str, Any]) -> Reply:
        """Have the worker group obey, and wait for the answer: OK, FAILED or INTERRUPTED.

        Raises:
            WorkerGroupLost: If the worker group died under it.
            AbortedError: If the lease is over.
            LaneLost: If the lane is broken.
        """
        found = self._call("ask", self._token, self._generation, kind, payload, _SLICE_S)
        while not isinstance(found, Reply):
            command_id = found
            found = self._call("await_reply", command_id, _SLICE_S) or command_id
        if found.outcome not in (Outcome.OK, Outcome.FAILED, Outcome.INTERRUPTED):
            self._raise_for(found)
        return found

    def _raise_for(self, reply: Reply) -> None:
        error = reply.error or "no reason was given"
        if reply.outcome in (Outcome.INTERRUPTED, Outcome.REFUSED):
            raise AbortedError(error)
        if reply.outcome is Outcome.RESTARTED:
            raise WorkerGroupLost(error, reply.retry)
        raise LaneLost(error)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._line.call(method, *arguments)
        except _LINE_ERRORS as error:
            raise LaneLost(f"the lane's actor is gone ({type(error).__name__})") from error


class PoolClient:
    """The pool, as a trial sees it.

    Args:
        name: Of the pool's actor.
    """

    def __init__(self, name: str) -> None:
        self._line = _ActorClient(name)

    def lease(self, trial_id: str) -> "LeasedLane":
        """Lease a lane; waits until one is free.

        Raises:
            AbortedError: If the trial is aborted, the pool is closing, or no lane is left.
        """
        while True:
            found = self._call("lease", trial_id, _SLICE_S)
            if isinstance(found, LaneRefusal):
                raise AbortedError(found.reason)
            if isinstance(found, LaneGrant):
                return LeasedLane(self, trial_id, found)

    def renew(self, token: int) -> bool:
        """Prolong a lease; False if it is over."""
        return bool(self._call("renew", token))

    def release(self, trial_id: str) -> None:
        """End a trial's lease."""
        self._call("release", trial_id)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._line.call(method, *arguments)
        except _LINE_ERRORS as error:
            raise AbortedError(f"the lane pool is gone ({type(error).__name__})") from error


class LeasedLane:
    """A lease that renews itself until it is given back.

    Args:
        pool: Where it came from.
        trial_id: Who holds it.
        leased: What the pool gave.
    """

    def __init__(self, pool: PoolClient, trial_id: str, leased: LaneGrant) -> None:
        self.lane = LaneClient(leased.lane, leased.token)
        self.workers = leased.workers
        self.max_failures = leased.max_failures
        self._pool = pool
        self._trial_id = trial_id
        self._leased = leased
        self._returned = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True, name="lane-lease")
        self._renewal.start()

    def give_back(self) -> None:
        """Release the lane; the pool cleans it."""
        self._returned.set()
        self._pool.release(self._trial_id)

    def _renew(self) -> None:
        while not self._returned.wait(self._leased.lease_s / 4):
            try:
                if not self._pool.renew(self._leased.token):
                    return
            except AbortedError:  # the pool is gone: the trial learns it from its lane
                return


class _ActorClient:
    """A named actor, looked up once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._actor: Any = None

    def call(self, method: str, *arguments: Any) -> Any:
        """Call it and wait; raises one of _LINE_ERRORS."""
        if self._actor is None:
            self._actor = ray.get_actor(self._name)
        call = getattr(self._actor, method).remote(*arguments)
        return ray.get(call, timeout=_SLICE_S + _ANSWER_S)
