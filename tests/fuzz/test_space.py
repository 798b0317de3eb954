"""Search spaces."""

from importlib.resources import files
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import invoke, sandbox
from tests.fuzz.small_spec import small_spec
from tests.fuzz.yaml_inputs import yaml_files

NAMES = ("small", "small", "demo", "unified", "kunlun", "ablations", "all_families")
SPACES = [
    yaml.safe_load((files("mixfront.spaces") / f"{name}.yaml").read_text()) for name in NAMES
]


@fuzzed("space")
@given(content=yaml_files(SPACES), as_json=st.booleans())
def test_a_space_is_valid_or_refused_in_one_sentence(
    base: Path, logs: Path, content: bytes, as_json: bool
) -> None:
    with sandbox(base, logs, "space") as box:
        box.write("work/space.yaml", content)
        spec = box.write("work/spec.yaml", small_spec(logs, search={}, space="./space.yaml"))
        invoke(box, ["search", "validate", str(spec), *["--json"] * as_json])
