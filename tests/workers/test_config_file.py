"""YAML in, typed config or one sentence out."""

from pathlib import Path

import pytest

from mixfront.config_file import parse_yaml, read_yaml, validate
from mixfront.exceptions import SpecError
from mixfront.training.config import TrainingConfig


def test_numbers_are_numbers_and_text_is_text() -> None:
    text = "{a: 1e6, b: 5e11, c: -2E-3, d: 1.5, e: 20220505, f: 'date <= 1e6', g: e6}"
    assert parse_yaml(text, "x.yaml", SpecError) == {
        "a": 1e6,
        "b": 5e11,
        "c": -2e-3,
        "d": 1.5,
        "e": 20220505,
        "f": "date <= 1e6",
        "g": "e6",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "x.yaml line 1: the key 'a' stands twice"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!python/name:os.system ''", "could not determine a constructor"),
        ("a: [1", "expected ',' or ']'"),
    ],
)
def test_what_is_no_plain_yaml_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_yaml(text, "x.yaml", SpecError)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        read_yaml(str(tmp_path / "none.yaml"), SpecError)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SpecError, match="is not text"):
        read_yaml(str(tmp_path / "binary.yaml"), SpecError)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"passs": 1}, "unknown key 'passs': did you mean 'passes'?"),
        ({"optimizer": {"lrr": 1}}, "unknown key 'optimizer.lrr': did you mean 'lr'?"),
        ({"passes": 0}, "'passes' is 0: Input should be greater than or equal to 1"),
        ({"precision": "fp8"}, "'precision' is 'fp8': Input should be 'auto', 'fp32' or 'bf16'"),
    ],
)
def test_wrong_config_is_one_sentence(data: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(TrainingConfig, data, "x.yaml", SpecError)
    assert str(caught.value) == f"x.yaml: {sentence}"
