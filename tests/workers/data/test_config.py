"""The `data:` part of a spec."""

import pytest

from mixfront.config_file import validate
from mixfront.data.config import DataConfig
from mixfront.exceptions import SpecError


def test_schema_is_called_schema_in_yaml() -> None:
    config = validate(
        DataConfig,
        {"path": "p", "schema": "s.yaml", "validation": "date == 2"},
        "spec.yaml",
        SpecError,
    )
    assert config.schema_ == "s.yaml"
    assert (config.train, config.test) == (None, None)


def test_a_spec_needs_a_validation_filter() -> None:
    with pytest.raises(SpecError, match="'validation' is missing"):
        validate(DataConfig, {"path": "p", "schema": "s.yaml"}, "spec.yaml", SpecError)
