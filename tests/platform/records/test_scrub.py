"""Credentials are hidden in text and data."""

import pytest

from mixfront.records.scrub import describe_error, scrub, scrub_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:pw@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("s3://bucket/path@day", "s3://bucket/path@day"),
        ("https://h/x?sig=abc&v=1", "https://h/x?sig=***&v=1"),
        ("https://h/x?v=1&X-Amz-Signature=ab12", "https://h/x?v=1&X-Amz-Signature=***"),
        ("away: http://u:p@a/ and http://t@b/", "away: http://***@a/ and http://***@b/"),
        ("/plain/path", "/plain/path"),
    ],
)
def test_credentials_in_uris_are_hidden(text: str, expected: str) -> None:
    assert scrub_text(text) == expected


def test_plain_data_is_scrubbed_at_any_depth() -> None:
    spec = {"a": ["mysql://u:p@h/d", 1], "b": {"password": "hunter2", "num_tokens": 16}}
    expected = {"a": ["mysql://***@h/d", 1], "b": {"password": "***", "num_tokens": 16}}
    assert scrub(spec) == expected


def test_keys_that_only_resemble_secrets_are_kept() -> None:
    config = {"num_tokens": "16", "tokenizer": "chunk", "key": "value"}
    assert scrub(config) == config


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(""), "RuntimeError"),
        (RuntimeError("\n first \nsecond"), "RuntimeError: first"),
        (OSError("postgresql://me:pw@db is away"), "OSError: postgresql://***@db is away"),
    ],
)
def test_an_error_is_described_on_one_line(error: Exception, text: str) -> None:
    assert describe_error(error) == text
