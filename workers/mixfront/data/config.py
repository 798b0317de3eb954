"""Which rows a search reads: the `data:` part of a search spec."""

from pydantic import BaseModel, ConfigDict, Field


class DataConfig(BaseModel):
    """Where the logs are, and which rows train, select and report.

    `test` is only reported and never decides anything. Without `train`, all rows train.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: str = Field(min_length=1, description="folder or URL of the Parquet data set")
    schema_: str = Field(min_length=1, alias="schema", description="path or URL of schema.yaml")
    train: str | None = Field(None, description="filter of the training rows; all if left out")
    validation: str = Field(min_length=1, description="filter of the rows that select models")
    test: str | None = Field(None, description="filter of the rows that are only reported")

    @property
    def filters(self) -> dict[str, str | None]:
        """The filter of every split by its name; `test` only where there is one."""
        filters = {"train": self.train, "validation": self.validation}
        return filters if self.test is None else filters | {"test": self.test}
