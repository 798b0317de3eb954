"""A worker's connection to its mailbox: plain method calls over Ray's remote ones."""

from dataclasses import dataclass
from typing import Any

import ray

from mixfront.lanes.messages import Command, Heartbeat, HeartbeatReply, Reply, WorkerMember

_ANSWER_S = 30.0  # a mailbox answers in milliseconds; this leaves room for a machine that swaps


@dataclass(frozen=True)
class MailboxClient:
    """Calls the mailbox actor and waits for the answer.

    Every call raises `ray.exceptions.RayActorError` if the mailbox is gone, and
    `ray.exceptions.GetTimeoutError` if it does not answer.
    """

    mailbox: Any  # Ray actor handle

    def join(self, attempt: str, world_size: int, member: WorkerMember, timeout_s: float) -> int:
        """See `Mailbox.join`."""
        call = self.mailbox.join.remote(attempt, world_size, member, timeout_s)
        return int(ray.get(call, timeout=timeout_s + _ANSWER_S))

    def next_command(self, generation: int, after_id: int, timeout_s: float) -> Command | None:
        """See `Mailbox.next_command`."""
        call = self.mailbox.next_command.remote(generation, after_id, timeout_s)
        command: Command | None = ray.get(call, timeout=timeout_s + _ANSWER_S)
        return command

    def reply(self, generation: int, reply: Reply) -> None:
        """See `Mailbox.reply`."""
        ray.get(self.mailbox.reply.remote(generation, reply), timeout=_ANSWER_S)

    def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        """See `Mailbox.heartbeat`."""
        call = self.mailbox.heartbeat.remote(generation, beat)
        reply: HeartbeatReply = ray.get(call, timeout=_ANSWER_S)
        return reply

    def fail_group(self, generation: int, error: str, retry: bool) -> None:
        """See `Mailbox.fail_group`."""
        ray.get(self.mailbox.fail_group.remote(generation, error, retry), timeout=_ANSWER_S)
