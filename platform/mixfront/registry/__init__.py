"""The way from a trial to a served model, and back."""

from mixfront.installation.wheel import build_wheel
from mixfront.registry.promote import Promotion, promote
from mixfront.registry.rollback import Rollback, rollback
from mixfront.registry.server import tracking_uri

__all__ = [
    "Promotion",
    "Rollback",
    "build_wheel",
    "promote",
    "rollback",
    "tracking_uri",
]
