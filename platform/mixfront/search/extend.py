"""Extends the budget of a search, the only part of its spec that may change after its start."""

import time
from collections.abc import Sequence
from typing import Any

from mixfront.config_file import parse_yaml, validate
from mixfront.exceptions import SpecError
from mixfront.lanes.duration import parse_duration
from mixfront.records import Extension, SearchRecord
from mixfront.spec.search_config import BUDGETS, SearchConfig

EXTENDABLE = tuple(f"search.{name}" for name in BUDGETS)


def is_extension(override: str) -> bool:
    """Whether an override "key=value" sets a budget."""
    key, equals, _ = override.partition("=")
    return bool(equals) and key.strip() in EXTENDABLE


def refuse_other_overrides(overrides: Sequence[str]) -> None:
    """Check that overrides of a search that has started are of its budget.

    Raises:
        SpecError: If one is not; names the first.
    """
    for override in overrides:
        if not is_extension(override):
            raise SpecError(
                f"the override {override!r} cannot be applied to a search that has started; only "
                f"its budget can change ({', '.join(EXTENDABLE)}), as with "
                "`-o search.trials=+20`"
            )


def extended(search: SearchRecord, overrides: Sequence[str]) -> SearchRecord:
    """The record with another budget, and the change in its history.

    Args:
        search: The search; it may have finished.
        overrides: "search.trials=80", or "search.trials=+20" to add to the recorded limit.

    Raises:
        SpecError: If an override is not of a budget, is not valid, or adds to a limit that the
            search does not have.
    """
    if not overrides:
        return search
    refuse_other_overrides(overrides)
    before = search.spec["search"]
    changes = dict(_change(search, override) for override in overrides)
    config = validate(SearchConfig, {**before, **changes}, "the override", SpecError)
    section = config.model_dump(mode="json")
    extension = Extension(
        time=time.time(),
        before={f"search.{name}": before.get(name) for name in changes},
        after={f"search.{name}": section[name] for name in changes},
    )
    return search.model_copy(
        update={
            "spec": {**search.spec, "search": section},
            "extensions": [*search.extensions, extension],
            # If the driver fails before it starts, a plain `resume` continues the search.
            "state": "interrupted",
            "ended_because": "its budget was extended",
        }
    )


def _change(search: SearchRecord, override: str) -> tuple[str, Any]:
    """The name of a budget and its new value."""
    key, _, text = override.partition("=")
    name, text = key.strip().removeprefix("search."), text.strip()
    if not text.startswith("+"):
        return name, parse_yaml(text, f"the override {override!r}", SpecError)
    return name, _sum(search, name, override, text.removeprefix("+"))


def _sum(search: SearchRecord, name: str, override: str, text: str) -> float:
    limit = search.spec["search"].get(name)
    if limit is None:
        raise SpecError(
            f"the override {override!r} adds to a limit that search {search.name!r} does not "
            f"have; give it one, as with `-o search.{name}=20`"
        )
    added = parse_yaml(text, f"the override {override!r}", SpecError)
    added = parse_duration(added) if name == "time" else added
    if isinstance(added, bool) or not isinstance(added, int | float) or added <= 0:
        raise SpecError(
            f"the override {override!r} does not add a positive amount to search.{name}, which "
            f"is {limit:g}; write, for example, `-o search.trials=+20` or `-o search.time=+1h`"
        )
    total: float = limit + added
    return total
