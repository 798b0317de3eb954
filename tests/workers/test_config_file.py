"""YAML files: parsing, validation and one-sentence errors."""

from pathlib import Path

import pytest

from mixfront.config_file import parse_yaml, read_yaml, validate
from mixfront.exceptions import SpecError
from mixfront.training.config import TrainingConfig


def test_exponents_without_a_dot_are_numbers() -> None:
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
        ("a: 1\nb: 2\na: 3", "x.yaml line 1: the key 'a' appears twice"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!python/name:os.system ''", "could not determine a constructor"),
        ("a: [1", "expected ',' or ']'"),
        ("a: 2001-99-99", "x.yaml line 1: '2001-99-99' is not a valid timestamp"),
        ("a: !!timestamp x", "'x' is not a valid timestamp"),
        ("a: !!bool x", "'x' is not a valid bool"),
        ("a: 0x_", "'0x_' is not a valid int"),
        (f"a: {'9' * 5000}", "999 ... is not a valid int"),
        ("a\x00b", "special characters are not allowed"),
        ("[" * 3000, "nested more than 50 deep"),
        (f"{'[' * 60}{']' * 60}", "nested more than 50 deep"),
        ("&a [*a]", "nested more than 50 deep"),
        ("a: !!binary '/w=='", r"b'\xff' is not text, a number"),
        ("!!set {a}", "{'a'} is not text, a number"),
        (r'"\ud800"', "is not valid Unicode"),
    ],
)
def test_text_that_is_not_plain_yaml_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_yaml(text, "x.yaml", SpecError)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(SpecError, match="more than 100,000 values"):
        parse_yaml("\n".join(lines), "x.yaml", SpecError)


@pytest.mark.parametrize("url", ["foo://bar", "a\x00b", "zip://a::b", "[a].yaml", "a*.yaml", "/"])
def test_a_url_that_cannot_be_opened_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        read_yaml(url, SpecError)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        read_yaml(str(tmp_path / "none.yaml"), SpecError)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SpecError, match="is not a text file"):
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
def test_an_invalid_config_is_refused_in_one_sentence(
    data: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        validate(TrainingConfig, data, "x.yaml", SpecError)
    assert str(caught.value) == f"x.yaml: {sentence}"
