from .front import (
    Front,
    count_states,
    front_json,
    front_of,
    hypervolume_history,
    is_candidate,
    is_feasible,
)
from .page import front_page
from .picture import save_picture
from .publish import publish_front
from .select import parse_pick, pick_trial

__all__ = [
    "Front",
    "count_states",
    "front_json",
    "front_of",
    "front_page",
    "hypervolume_history",
    "is_candidate",
    "is_feasible",
    "parse_pick",
    "pick_trial",
    "publish_front",
    "save_picture",
]
