"""Records that others may have written into a storage."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import Sandbox, invoke, sandbox
from tests.fuzz.planted_search import RECORD, TRIAL, planted_record
from tests.fuzz.yaml_inputs import damaged, mutated

COMMANDS: dict[str, tuple[str, ...]] = {
    "trials": ("trials", "planted"),
    "trials json": ("trials", "planted", "--json"),
    "pareto": ("pareto", "planted"),
    "pareto json": ("pareto", "planted", "--json"),
    "page": ("pareto", "planted", "--html", "front.html"),
    "picture": ("pareto", "planted", "--picture", "front.svg"),
    "list": ("search", "list"),
    "list json": ("search", "list", "--json"),
    "status": ("search", "status", "planted"),
    "stop": ("search", "stop", "planted", "--timeout", "0.1"),
    "promote": ("promote", "planted", "--pick", "knee", "--name", "m"),
    "promote one": ("promote", "planted", "--trial", "0", "--name", "m"),
    "rollback": ("rollback", "m", "--search", "planted"),
}
TRIAL_FOLDERS = ("0", "1", "x", "-1", "٣", "1.5", "a b")
LOCATIONS = ("checkpoint", "model_url", "encoder", "space")

records = st.one_of(
    mutated(TRIAL),
    st.builds(
        lambda key, place: {**TRIAL, key: place},
        st.sampled_from(sorted(TRIAL)),
        st.sampled_from(("../../../outside", "/etc", "x", "[/red]", "1e999")),
    ),
    st.builds(
        lambda number, auc: {
            **TRIAL,
            "trial_id": str(number),
            "values": {"auc": auc, "flops": 1e9},
        },
        st.integers(0, 3),
        st.floats(),
    ),
)
searches = st.one_of(st.just(RECORD), st.just(RECORD), mutated(RECORD))


@fuzzed("records")
@given(
    search=searches,
    trials=st.lists(st.tuples(st.sampled_from(TRIAL_FOLDERS), records), max_size=3),
    command=st.sampled_from(sorted(COMMANDS)),
    torn=st.integers(0, 5),
    draws=st.data(),
)
def test_a_planted_record_is_read_or_refused_in_one_sentence(
    base: Path,
    logs: Path,
    search: Any,
    trials: list[tuple[str, Any]],
    command: str,
    torn: int,
    draws: st.DataObject,
) -> None:
    with sandbox(base, logs, "records") as box:
        _plant(box, search)
        box.write("storage/neighbour/search.json", json.dumps({**RECORD, "name": "neighbour"}))
        for folder, trial in trials:
            content = json.dumps(trial, default=str).encode()
            content = draws.draw(damaged(content)) if torn == 0 else content
            box.write(f"storage/planted/trials/{folder}/record.json", content)
        writes = [box.storage / "planted", box.work]
        invoke(box, COMMANDS[command], writes)


def _plant(box: Sandbox, search: Any) -> None:
    try:
        planted_record(box, search)
    except (TypeError, KeyError, ValueError):  # not a mapping, or without the keys
        box.write("storage/planted/search.json", json.dumps(search, default=str))
