from .config import LaneSettings, TrialConfig
from .mailbox import Mailbox
from .messages import Beat, Command, CommandKind, Member, Outcome, Reply
from .session import Session, SessionFactory

__all__ = [
    "Beat",
    "Command",
    "CommandKind",
    "LaneSettings",
    "Mailbox",
    "Member",
    "Outcome",
    "Reply",
    "Session",
    "SessionFactory",
    "TrialConfig",
]
