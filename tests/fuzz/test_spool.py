"""Lines that others may have written into a search's spool."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import SECRET, Sandbox, call, sandbox
from tests.fuzz.planted_search import RECORD, planted_record
from tests.fuzz.yaml_inputs import damaged, mutated

from mixfront.records import RecordStore, SearchRecord
from mixfront.tracking.client import connect
from mixfront.tracking.sender import MlflowSender
from mixfront.tracking.spool import Spool

UPDATES: list[Any] = [
    {
        **{"seq": 1, "time_ms": 1, "name": "small", "params": {"a": "1"}, "tags": {"t": "x"}},
        **{"texts": {"front.json": "{}"}, "status": "RUNNING"},
        "dataset": {"name": "d", "digest": "0", "source": "s3://x"},
    },
    {
        "seq": 2,
        "time_ms": 2,
        "trial_id": "0",
        "name": "0 unimixer",
        "metrics": {"auc": 0.5},
        "step": 3,
    },
    {
        "seq": 3,
        "time_ms": 3,
        "trial_id": "0",
        "folders": {"mixing": "trials/0/mixing"},
        "status": "FINISHED",
    },
]
MARK: Any = {"through": 1, "page": 0, "runs": {"": "abc", "0": "def"}}
NAMES = (
    *(
        "000001-000001.jsonl",
        "000002-000001.jsonl",
        "000001.jsonl",
        "x.jsonl",
        "-1.jsonl",
        ".jsonl",
    ),
    *("9" * 200 + "-000001.jsonl", "٣-000001.jsonl", "000001-000002.jsonl/inner", "²-1.jsonl"),
)
MARKS = (
    "000001-delivered.json",
    "delivered.json",
    "9" * 200 + "-delivered.json",
    "xdelivered.json",
    "1-delivered.json/inner",
)
PLACES = (
    "../../outside",
    "../outside/secret.txt",
    "/etc",
    "..",
    ".",
    "",
    "/",
    "~",
    "trials/0/mixing",
    "a/../../..",
    "link",
    "\x00",
)

lines = st.one_of(
    st.sampled_from(UPDATES).flatmap(mutated),
    st.builds(
        lambda where, place: {**UPDATES[2], where: {place: place}},
        st.sampled_from(("folders", "texts")),
        st.sampled_from(PLACES),
    ),
)


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    """A file of the spool, whose last line may be torn."""
    content = b"\n".join(map(_line, draw(st.lists(lines, min_size=1, max_size=4))))
    return draw(damaged(content)) if draw(st.integers(0, 3)) == 0 else content


def _line(value: Any) -> bytes:
    return json.dumps(value, default=str).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module", autouse=True)
def _database(base: Path) -> None:
    """Making MLflow's tables takes seconds."""
    connect(f"sqlite:///{base.resolve()}/mlflow/mixfront.db").search_experiments()


@fuzzed("spool")
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    marks=st.lists(st.sampled_from(MARKS), max_size=2, unique=True),
    draws=st.data(),
)
def test_a_planted_line_is_skipped_or_delivered_inside_the_searchs_runs(
    base: Path, logs: Path, names: list[str], marks: list[str], draws: st.DataObject
) -> None:
    with sandbox(base, logs, "spool") as box:
        store = planted_record(box, RECORD)
        (Path(store.url) / "link").symlink_to(box.outside)
        for name in names:
            box.write(f"storage/planted/spool/{name}", draws.draw(segments()))
        for name in marks:
            mark = _line(draws.draw(mutated(MARK)))
            box.write(
                f"storage/planted/spool/{name}",
                draws.draw(st.one_of(st.just(mark), damaged(mark))),
            )
        call(box, lambda: _deliver(box, store), [box.storage, base / "mlflow"])
        uploaded = [path for path in (base / "mlflow").rglob("*") if path.is_file()]
        assert not any(SECRET.encode() in p.read_bytes() for p in uploaded if p.suffix != ".db")


def _deliver(box: Sandbox, store: RecordStore) -> None:
    """What a driver does with the spool of the drivers before it, without its thread."""
    search: SearchRecord = store.search()
    spool = Spool(f"{store.url}/spool")
    mark, updates = spool.delivered(), spool.replay()
    spool.mark(mark)
    uri = f"sqlite:///{box.root.parent}/mlflow/mixfront.db"
    search_id = f"small-{box.root.name}"
    sender = MlflowSender(uri, search.experiment, search_id, {}, lambda *_: None, store.url)
    sender.deliver([update for update in updates if update.seq > mark.through])
