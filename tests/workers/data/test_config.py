"""The `data:` section of a spec."""

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


def test_the_filters_of_the_splits() -> None:
    values = {"path": "p", "schema": "s.yaml", "validation": "date == 2"}
    assert DataConfig.model_validate(values).filters == {"train": None, "validation": "date == 2"}
    every = DataConfig.model_validate(values | {"train": "date < 2", "test": "date > 2"})
    assert every.filters == {"train": "date < 2", "validation": "date == 2", "test": "date > 2"}
