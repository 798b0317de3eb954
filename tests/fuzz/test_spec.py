"""Search specs."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import invoke, sandbox
from tests.fuzz.small_spec import SMALL
from tests.fuzz.yaml_inputs import TEXTS, yaml_files

from mixfront.spec.files import find_spec, packaged_specs

PACKAGED = [yaml.safe_load(find_spec(name).text or "") for name in packaged_specs()]
KEYS = (
    "name",
    "search.trials",
    "space",
    "data.path",
    "search",
    "training.optimizer.lr",
    "a.b",
    ".",
)

overrides = st.lists(
    st.tuples(
        st.sampled_from(KEYS), st.sampled_from(("=", "=", "=", "", "==")), st.sampled_from(TEXTS)
    ).map("".join),
    max_size=2,
)


@fuzzed("spec")
@given(
    content=yaml_files([SMALL, SMALL, SMALL, *PACKAGED]),
    overrides=overrides,
    as_json=st.booleans(),
    reads_data=st.booleans(),
)
def test_a_spec_is_valid_or_refused_in_one_sentence(
    base: Path, logs: Path, content: bytes, overrides: list[str], as_json: bool, reads_data: bool
) -> None:
    with sandbox(base, logs, "spec") as box:
        (box.root / "data").symlink_to(logs)
        spec = box.write("work/spec.yaml", content)
        words = ["search", "validate", str(spec), *(f"-o{text}" for text in overrides)]
        words += ["--json"] * as_json + ["--data"] * reads_data
        invoke(box, words)
