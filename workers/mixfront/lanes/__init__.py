"""Lanes, the worker side: one warm worker group that trains one trial after another."""

from mixfront.lanes.config import LaneSettings, TrialConfig
from mixfront.lanes.mailbox import Mailbox
from mixfront.lanes.messages import Beat, Command, CommandKind, Member, Outcome, Reply
from mixfront.lanes.session import Session, SessionFactory

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
