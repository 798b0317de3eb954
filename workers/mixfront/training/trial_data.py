"""The encoder and the encoded rows of one trial, opened once per rank."""

import platform
from typing import Any

from mixfront.data import EncodedSplit, Encoder, open_dataset, open_split
from mixfront.data.file_footers import differs
from mixfront.exceptions import DataError
from mixfront.training.request import DataRequest


class TrialData:
    """The encoded rows on which a trial is trained and evaluated.

    The data set's files are listed once, here. A trial does not see later changes; the next trial
    lists them again, and is refused if they differ from those that the search started with.

    Args:
        request: Where the rows are.

    Attributes:
        encoder: Fitted by the driver.
        digest: Identifies the data set's files.

    Raises:
        DataError: If the data set is not the one that the search started with.
        DataError, SchemaError, SpecError: As `open_split`.
    """

    def __init__(self, request: DataRequest) -> None:
        self.encoder = Encoder.load(request.encoder)
        self._request = request
        self._dataset = open_dataset(request.path)
        self.digest = self._dataset.digest
        if differs(request.digest, self.digest):
            raise DataError(
                f"the data set {request.path} on {platform.node()} is not the one that the search "
                "started with: files were added, removed or rewritten; restore them, or start a "
                "new search"
            )
        filters = {"train": request.train, "validation": request.validation}
        if request.test is not None:
            filters["test"] = request.test
        self._splits = {
            name: open_split(self._dataset, text, self.encoder) for name, text in filters.items()
        }

    @property
    def train(self) -> EncodedSplit:
        """The training rows."""
        return self._splits["train"]

    @property
    def validation(self) -> EncodedSplit:
        """The rows that models are selected on."""
        return self._splits["validation"]

    @property
    def test(self) -> EncodedSplit | None:
        """The rows that are only reported on, if there are any."""
        return self._splits.get("test")

    def raw_sample(self, num_rows: int) -> Any:
        """The first raw validation rows, with the encoder's columns, as a `pyarrow.Table`."""
        return self._dataset.head(num_rows, self._request.validation, self.encoder.columns)

    def close(self) -> None:
        """Release the splits and their memory maps."""
        self._splits.clear()
