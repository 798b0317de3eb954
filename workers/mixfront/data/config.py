"""The `data:` section of a search spec: where the rows are, and their splits."""

from pydantic import BaseModel, ConfigDict, Field


class DataConfig(BaseModel):
    """Where the logs are, and which rows are for training, selection and reporting.

    `test` is only reported and never used to select. Without `train`, all rows are trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: str = Field(min_length=1, description="folder or URL of the Parquet data set")
    schema_: str = Field(min_length=1, alias="schema", description="path or URL of schema.yaml")
    train: str | None = Field(None, description="filter of the training rows; all if left out")
    validation: str = Field(
        min_length=1, description="filter of the rows that models are selected on"
    )
    test: str | None = Field(None, description="filter of the rows that are only reported on")

    @property
    def filters(self) -> dict[str, str | None]:
        """Filters by the name of the split; has `test` only if the spec does."""
        filters = {"train": self.train, "validation": self.validation}
        return filters if self.test is None else filters | {"test": self.test}
