from .config import LaneSettings, TrialConfig
from .mailbox import Mailbox
from .messages import Command, CommandKind, Heartbeat, Outcome, Reply, WorkerMember
from .session import Session, SessionFactory

__all__ = [
    "Command",
    "CommandKind",
    "Heartbeat",
    "LaneSettings",
    "Mailbox",
    "Outcome",
    "Reply",
    "Session",
    "SessionFactory",
    "TrialConfig",
    "WorkerMember",
]
