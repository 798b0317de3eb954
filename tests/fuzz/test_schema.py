"""Schemas of data sets."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import call, invoke, sandbox
from tests.fuzz.small_spec import small_spec
from tests.fuzz.yaml_inputs import yaml_files

from mixfront.data import Encoder, load_schema, open_dataset, open_split

SCHEMA = {
    "label": "click",
    "user": "user_id",
    "time": "time_ms",
    "time_unit": "ms",
    "features": [
        {"name": "user_id", "kind": "categorical", "domain": "user"},
        {"name": "item_id", "kind": "categorical", "domain": "item", "min_count": 2},
        {
            "name": "category",
            "kind": "categorical",
            "domain": "item",
            "encoding": "hash",
            "buckets": 8,
        },
        {"name": "price", "kind": "numeric", "domain": "item", "encoding": "log"},
        {
            "name": "hour",
            "kind": "numeric",
            "domain": "context",
            "encoding": "buckets",
            "buckets": 4,
        },
        {
            "name": "history",
            "kind": "sequence",
            "domain": "behaviour",
            "length": 5,
            "share": "item_id",
        },
    ],
}


@fuzzed("schema")
@given(data=st.data(), fits=st.booleans())
def test_a_schema_is_valid_or_refused_in_one_sentence(
    base: Path, logs: Path, data: st.DataObject, fits: bool
) -> None:
    written = yaml.safe_load((logs / "schema.yaml").read_text())
    content = data.draw(yaml_files([SCHEMA, written, written]))
    with sandbox(base, logs, "schema") as box:
        schema = box.write("work/schema.yaml", content)
        spec = box.write("work/spec.yaml", small_spec(logs))
        if fits:
            call(box, lambda: _encode(logs, schema), [box.root / "scratch"])
        else:
            invoke(box, ["search", "validate", str(spec), f"-odata.schema={schema}", "--data"])


def _encode(logs: Path, schema: Path) -> None:
    dataset = open_dataset(str(logs))
    encoder = Encoder.fit(dataset, load_schema(str(schema)), "date <= 20260101")
    open_split(dataset, "date == 20260106", encoder)
