"""Which rows a search reads: the `data:` part of a search spec."""

from pydantic import BaseModel, ConfigDict, Field


class DataConfig(BaseModel):
    """Where the logs lie, and which rows train, choose and report.

    `test` is reported and never decides anything. A filter left out selects every row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: str = Field(min_length=1, description="folder or URL of the Parquet data set")
    schema_: str = Field(min_length=1, alias="schema", description="path or URL of schema.yaml")
    train: str | None = Field(None, description="filter of the training rows")
    validation: str = Field(min_length=1, description="filter of the rows that choose")
    test: str | None = Field(None, description="filter of the rows that are only reported")
