"""A file of a search is damaged between two of its drivers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.searches import FaultySearch
from tests.faults.injections import Faults

Damage = Callable[[bytes, Faults], bytes]


def truncated(content: bytes, faults: Faults) -> bytes:
    """The beginning of a file."""
    return content[: faults.random.randrange(len(content) - 1)]


def overwritten(content: bytes, faults: Faults) -> bytes:
    """As many random bytes."""
    return faults.random.randbytes(len(content))


def another_trials(content: bytes, _faults: Faults) -> bytes:
    """The record of a trial with another number."""
    record = json.loads(content)
    return json.dumps(record | {"trial_id": str(int(record["trial_id"]) + 1)}).encode()


KINDS: list[tuple[str, Damage]] = [
    ("trial", truncated),
    ("trial", overwritten),
    ("trial", another_trials),
    ("search", truncated),
    ("search", overwritten),
]


@pytest.fixture
def interrupted(make_search: MakeSearch, faults: Faults) -> FaultySearch:
    """A search whose first driver failed at a random trial."""
    search = make_search()
    failing = str(faults.random.randrange(2, 10))

    def fail(trial_id: str) -> None:
        if trial_id == failing:
            raise RuntimeError("the driver fails")

    assert not search.run_driver(search.pool(fail))
    assert search.record.state == "interrupted"
    return search


@pytest.mark.faults(per_run=len(KINDS))
def test_record_corrupted(faults: Faults, interrupted: FaultySearch) -> None:
    """The next driver names the file and changes nothing; once it is restored, it resumes."""
    folder = Path(interrupted.store.url)
    records = sorted(folder.glob("trials/*/record.json"))
    for name, damage in faults.random.sample(KINDS, faults.count):
        path = folder / "search.json" if name == "search" else faults.random.choice(records)
        whole = path.read_bytes()
        path.write_bytes(damage(whole, faults))
        faults.injected += 1
        refused_by_name(interrupted, path)
        path.write_bytes(whole)
    interrupted.run_to_end()
    assert interrupted.faults() == []


def refused_by_name(search: FaultySearch, path: Path) -> None:
    """A driver is refused in a sentence that names the damaged file, and writes nothing."""
    before = contents(path)
    assert not search.run_driver()
    sentence = str(search.errors[-1])
    assert sentence.startswith(f"{path} ")
    assert "restore" in sentence
    assert "\n" not in sentence
    assert contents(path) == before


def test_spool_corrupted(faults: Faults, interrupted: FaultySearch) -> None:
    """A damaged line is skipped and named in the log; MLflow still gets what it lacks."""
    [segment, *_] = sorted(Path(interrupted.store.url).glob("spool/*.jsonl"))
    lines = segment.read_bytes().splitlines(keepends=True)
    victim = faults.random.randrange(len(lines))
    damage = faults.random.choice((truncated, overwritten))
    lines[victim] = damage(lines[victim].rstrip(), faults).replace(b"\n", b"?") + b"\n"
    segment.write_bytes(b"".join(lines))
    faults.injected += 1
    interrupted.run_to_end()
    assert interrupted.faults() == []


def contents(path: Path) -> Mapping[Path, bytes]:
    """Every file of the search that a file belongs to."""
    folder = path.parents[2] if path.name == "record.json" else path.parent
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
