"""The named actor of one lane: its mailbox and its supervisor, in one process."""

import time
from typing import Any

import ray

from mixfront.lanes import CommandKind, Mailbox, WorkerMember
from mixfront.pool.placement_groups import has_pending_group, remove_groups, remove_leaked
from mixfront.pool.supervisor import Supervisor
from mixfront.pool.train_run import RunPlan, run_lane, set_train_environment

_NAME_FREE_S = 30.0  # Ray frees the name of a killed actor or driver within seconds


class LaneActor(Mailbox):
    """A mailbox that also runs its lane. The pool creates it; it dies with the pool.

    Args:
        plan: The lane's Train run.
    """

    def __init__(self, plan: RunPlan) -> None:
        super().__init__(plan.lane)
        set_train_environment()
        this_actor: Any = ray.get_runtime_context().current_actor
        self._settle_s = plan.settings.settle_s
        self._supervisor = Supervisor(
            self,
            run=lambda: run_lane(plan, this_actor),
            kill=_kill,
            remove_groups=_remove_groups,
            lacks_resources=has_pending_group,
            settings=plan.settings,
            needs=plan.needs(),
        )

    async def open(self) -> None:
        """Start the lane's Train run, unless it is already active."""
        if not self._supervisor.is_active:
            await self.reopen()
            self._supervisor.start()

    async def shut_down(self, token: int, grace_s: float) -> bool:
        """Fence off the lease holder and stop the Train run; False if it did not end in time."""
        await self.grant(token)
        return await self._supervisor.stop(grace_s)

    async def clean(self, token: int) -> None:
        """Fence off the lease holder, then abort and tear down what it left.

        A worker group that does not finish in time is killed. Afterwards the lane holds no
        session, or waits for a new worker group.
        """
        await self.grant(token)
        state = await self.state()
        if not await self.settle(self._settle_s):
            error = f"the last trial's command did not end within {self._settle_s:.0f} s"
            await self.fail_group(state.generation, error, retry=False)
        state = await self.state()
        if state.ready and state.loaded_trial is not None:
            reply = await self.ask(
                token, state.generation, CommandKind.TEARDOWN, {}, self._settle_s
            )
            if isinstance(reply, int):
                error = f"teardown did not end within {self._settle_s:.0f} s"
                await self.fail_group(state.generation, error, retry=False)


def create_named(actor: type, options: dict[str, Any], *arguments: Any) -> Any:
    """Create a named actor, waiting while Ray frees the name of a dead predecessor.

    Raises:
        ValueError: If the name stays taken.
    """
    deadline = time.monotonic() + _NAME_FREE_S
    remote: Any = ray.remote(actor)
    while True:
        try:
            return remote.options(**options).remote(*arguments)
        except ValueError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _kill(member: WorkerMember) -> None:
    if member.handle is not None:
        ray.kill(member.handle)


def _remove_groups(groups: list[Any]) -> None:
    remove_groups(groups)
    remove_leaked()
