"""Command lines, drawn from the commands and options that the app really has."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import invoke, sandbox
from tests.fuzz.planted_search import RECORD, TRIAL, planted_record
from tests.fuzz.small_spec import small_spec
from tests.fuzz.yaml_inputs import TEXTS

from mixfront.cli.app import app
from mixfront.exceptions import ClusterError

# doctor starts processes and checks the machine; it takes no input but a number.
LEFT_OUT = {"doctor"}
WORDS = (
    *(
        "spec.yaml",
        "small.yaml",
        "planted",
        "storage/planted",
        "demo",
        "small",
        "../data",
        "m",
        "0",
        "1",
    ),
    *(
        "unimixer",
        "rankmixer",
        "knee",
        "best:auc",
        "max:auc<=0.5",
        "max:auc<=nan",
        "best:",
        "max:x",
        "click",
    ),
    *(
        "user_id",
        "time_ms",
        "num_tokens=4",
        "block_size=4",
        "chunk_dim=0",
        "num_tokens=0",
        "num_tokens=1000000000",
    ),
    *(
        "token_dim=-1",
        "seed=-1",
        "search.trials=2",
        "search.time=0s",
        "data.train=date == 1",
        "family=unimixer",
    ),
    *(
        "PATH",
        "HOME=1",
        "new-folder",
        "front.html",
        "front.svg",
        "front.exe",
        "work/../x",
        "champion",
        "a=b=c",
    ),
)
NUMBERS = ("0", "1", "-1", "1000", "1001", "2.5", "nan", "inf", "1e9", "x", "", "٣", "-0")
SURROGATE = "\udcff"  # what Python makes of a byte that is not UTF-8


def leaves() -> dict[tuple[str, ...], Any]:
    """Every command by its words."""
    commands: dict[tuple[str, ...], Any] = {}
    for name, command in typer.main.get_group(app).commands.items():
        for inner, leaf in getattr(command, "commands", {"": command}).items():
            if name not in LEFT_OUT:
                commands[(name, inner) if inner else (name,)] = leaf
    return commands


LEAVES = leaves()


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its arguments and options, and sometimes with too much."""
    words = draw(st.sampled_from(sorted(LEAVES)))
    line = list(words)
    for parameter in LEAVES[words].params:
        if parameter.param_type_name == "argument":
            line += [draw(texts)] * draw(st.sampled_from((1, 1, 1, 1, 0, 2)))
        elif draw(st.integers(0, 2)) == 0 and parameter.opts:
            line.append(draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts])))
            is_number = parameter.bare_type() in ("int", "float")
            if not parameter.is_flag:
                line.append(draw(st.sampled_from(NUMBERS) if is_number else texts))
    if draw(st.integers(0, 9)) == 0:
        line.insert(
            draw(st.integers(0, len(line))),
            draw(st.one_of(texts, st.sampled_from(("--nope", "-", "--", "--help", "--debug")))),
        )
    return line


texts = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS),
    st.sampled_from([*TEXTS, SURROGATE]),
    st.text(max_size=8),
)


@pytest.fixture(scope="module", autouse=True)
def _no_cluster() -> Any:
    """Commands that would start Ray stop where they would connect to it."""

    def refuse(*_: object, **__: object) -> None:
        raise ClusterError("these tests have no cluster")

    patch = pytest.MonkeyPatch()
    patch.setattr("mixfront.cluster.connection.connect", refuse)
    patch.setattr("mixfront.search.cpu_op_build.compiling_cpu_op", refuse)
    yield
    patch.undo()


@fuzzed("command_line")
@given(line=command_lines())
def test_a_command_line_works_or_is_refused_in_one_sentence(
    base: Path, logs: Path, line: list[str]
) -> None:
    with sandbox(base, logs, "command_line") as box:
        (box.root / "data").symlink_to(logs)
        planted_record(box, RECORD)
        box.write("storage/planted/trials/0/record.json", json.dumps(TRIAL))
        for name in ("spec.yaml", "small.yaml"):
            box.write(f"work/{name}", small_spec(logs))
        invoke(box, line, [box.work, box.storage])
