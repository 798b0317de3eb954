"""The Pareto front of a search: who is on it, how much it covers, how it looks."""

from mixfront.pareto.front import (
    Front,
    count_states,
    front_json,
    front_of,
    hypervolume_history,
    is_candidate,
    is_feasible,
)
from mixfront.pareto.page import front_page
from mixfront.pareto.picture import save_picture
from mixfront.pareto.publish import publish_front
from mixfront.pareto.select import parse_pick, pick_trial

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
