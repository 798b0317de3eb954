"""schema.yaml: what it means and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mixfront.data.schema import Schema, SequenceFeature, dump_schema, load_schema
from mixfront.data.synthetic.writer import synthetic_schema
from mixfront.exceptions import SchemaError

HEAD = "label: click\nuser: uid\nfeatures:\n"


def load(tmp_path: Path, *features: str) -> Schema:
    file = tmp_path / "schema.yaml"
    file.write_text(HEAD + "".join(f"  - {{{feature}}}\n" for feature in features))
    return load_schema(str(file))


def test_features_of_every_kind(tmp_path: Path) -> None:
    schema = load(
        tmp_path,
        "name: item, kind: categorical, domain: item, min_count: 3, max_size: 10",
        "name: city, kind: categorical, domain: user, encoding: hash, buckets: 7",
        "name: price, kind: numeric, domain: item, encoding: log, nulls: mean",
        "name: seen, kind: sequence, domain: behaviour, length: 5, share: item, column: hist",
    )
    seen = schema.features[3]
    assert isinstance(seen, SequenceFeature)
    assert (seen.source, seen.share, seen.keep) == ("hist", "item", "last")
    assert schema.features[0].source == "item"


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("name: a, kind: categorical, domain: x, encoding: hash", "needs `buckets`"),
        ("name: a, kind: categorical, domain: x, buckets: 5", "`buckets` has no effect"),
        ("name: a, kind: categorical, domain: x, encoding: hash, buckets: 5, min_count: 2",
         "`min_count` has no effect"),
        ("name: a, kind: numeric, domain: x, buckets: 5", "`buckets` has no effect"),
        ("name: a, kind: numeric, domain: x, encoding: buckets, clip: 5", "`clip` has no effect"),
        ("name: a, kind: categorical, domain: x, mincount: 2", "did you mean 'min_count'"),
        ("name: a, kind: category, domain: x", "category"),
        ("name: a, kind: categorical", "domain' is missing"),
        ("name: click, kind: categorical, domain: x", "reads the label"),
        ("name: a, column: click, kind: numeric, domain: x", "reads the label"),
        ("name: s, kind: sequence, domain: x, length: 0", "greater than or equal to 1"),
        ("name: s, kind: sequence, domain: x, length: 3, share: itme", "has no table to share"),
        ("name: s, kind: sequence, domain: x, length: 3, share: s", "has no table to share"),
        ("name: s, kind: sequence, domain: x, length: 3, share: item, min_count: 2",
         "`min_count` is set by 'item'"),
        ("name: item, kind: numeric, domain: x", "two features are called 'item'"),
        ("name: s, kind: sequence, domain: x, length: 3, times: s_ms",
         "'s' has `times`, but the schema has no `time`; add the column that says when a row"),
    ],
)  # fmt: skip
def test_wrong_features_are_refused_in_one_sentence(
    tmp_path: Path, feature: str, message: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        load(tmp_path, "name: item, kind: categorical, domain: item", feature)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shared_table_names_the_nearest_owner(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="did you mean 'item_id'"):
        load(
            tmp_path,
            "name: item_id, kind: categorical, domain: item",
            "name: s, kind: sequence, domain: x, length: 3, share: itemid",
        )


def test_a_schema_that_runs_code_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text("label: !!python/object/apply:os.system ['true']\nuser: u\n")
    with pytest.raises(SchemaError, match="plain YAML"):
        load_schema(str(file))


def test_dump_and_load_give_the_same_schema(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(dump_schema(synthetic_schema()))
    assert load_schema(str(file)) == synthetic_schema()


def test_every_key_is_described() -> None:
    page = (Path(__file__).parents[3] / "docs" / "schema.md").read_text()
    example = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    schema = Schema.model_validate(example)
    assert example.keys() == Schema.model_fields.keys()
    kinds = {type(feature) for feature in schema.features}
    keys = {key for kind in kinds for key in kind.model_fields}
    described = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert len(kinds) == 3
    assert described == keys


def test_plain_json_gives_the_same_schema() -> None:
    plain: dict[str, Any] = synthetic_schema().model_dump(mode="json")
    assert Schema.model_validate(plain) == synthetic_schema()
