"""The way from a trial to a served model, and back."""

from mixfront.registry.promote import Promotion, promote
from mixfront.registry.rollback import Rollback, rollback
from mixfront.registry.server import tracking_uri
from mixfront.registry.wheel import build_wheel

__all__ = [
    "Promotion",
    "Rollback",
    "build_wheel",
    "promote",
    "rollback",
    "tracking_uri",
]
