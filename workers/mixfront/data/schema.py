"""schema.yaml: the label, the user, and every feature with its domain and encoding."""

from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mixfront.config_file import read_yaml, validate
from mixfront.exceptions import SchemaError, nearest

IdEncoding = Literal["vocabulary", "hash"]
TimeUnit = Literal["s", "ms", "us"]


class _Feature(BaseModel):
    """The keys that every kind of feature has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    domain: str = Field(min_length=1, description="user, item, behaviour, context, cross, ...")
    column: str | None = Field(None, description="Parquet column, if it differs from the name")

    @property
    def source(self) -> str:
        """The Parquet column that the feature is read from."""
        return self.column or self.name

    def changed(self, keys: set[str]) -> list[str]:
        """Those of `keys` whose values differ from their defaults."""
        fields = type(self).model_fields
        return [key for key in sorted(keys) if getattr(self, key) != fields[key].default]


class _IdFeature(_Feature):
    """Features whose values become rows of an embedding table."""

    encoding: IdEncoding = "vocabulary"
    min_count: int = Field(
        1, ge=1, description="values rarer than this in training become unknown"
    )
    max_size: int | None = Field(
        None, ge=1, description="keep at most this many values, the most frequent"
    )
    buckets: int | None = Field(None, ge=1, description="rows of a hashed table")

    @model_validator(mode="after")
    def _options_fit_the_encoding(self) -> Self:
        if self.encoding == "hash" and self.buckets is None:
            raise ValueError(f"feature {self.name!r}: encoding hash needs `buckets`; add it")
        unused = {"min_count", "max_size"} if self.encoding == "hash" else {"buckets"}
        for key in self.changed(unused):
            raise ValueError(
                f"feature {self.name!r}: `{key}` has no effect with encoding {self.encoding}; "
                "remove it"
            )
        return self


class CategoricalFeature(_IdFeature):
    """One value from a finite set: an id, a category, a flag."""

    kind: Literal["categorical"] = "categorical"
    nulls: Literal["own", "unknown"] = "own"


class NumericFeature(_Feature):
    """One number: scaled, or put into quantile buckets of the training rows.

    `log` means sign(x) * log(1 + |x|), then standard scaling. A null stays NaN with `nulls: own`
    (the model learns a vector for it), or becomes the mean or zero.
    """

    kind: Literal["numeric"] = "numeric"
    encoding: Literal["standard", "log", "buckets"] = "standard"
    buckets: int = Field(32, ge=2, le=65536, description="maximum number of quantile buckets")
    nulls: Literal["own", "mean", "zero"] = "own"
    clip: float = Field(
        10.0, gt=0, description="maximum distance from the mean, in standard deviations"
    )

    @model_validator(mode="after")
    def _options_fit_the_encoding(self) -> Self:
        unused = {"clip"} if self.encoding == "buckets" else {"buckets"}
        for key in self.changed(unused):
            raise ValueError(
                f"feature {self.name!r}: `{key}` has no effect with encoding {self.encoding}; "
                "remove it"
            )
        return self


class SequenceFeature(_IdFeature):
    """A list of ids, truncated to `length`; `share` uses the embedding table of another feature.

    `times` is a column of lists of the same length: when each event happened. The schema's `time`
    is when the row was shown.
    """

    kind: Literal["sequence"] = "sequence"
    length: int = Field(ge=1, le=10_000)
    keep: Literal["last", "first"] = "last"
    share: str | None = None
    times: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _shared_table_has_its_own_options(self) -> Self:
        if self.share is None:
            return self
        for key in self.changed({"encoding", "min_count", "max_size", "buckets"}):
            raise ValueError(
                f"feature {self.name!r}: `{key}` is set by {self.share!r}, whose table it shares; "
                "remove it"
            )
        return self


Feature = Annotated[
    CategoricalFeature | NumericFeature | SequenceFeature, Field(discriminator="kind")
]


class Schema(BaseModel):
    """What the columns of a data set mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, description="column of 0s and 1s")
    user: str = Field(min_length=1, description="column that groups rows for UAUC")
    time: str | None = None
    time_unit: TimeUnit | None = Field(None, description="unit of `time` and `times`, if numeric")
    features: tuple[Feature, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _features_fit_together(self) -> Self:
        names = [feature.name for feature in self.features]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two features are called {name!r}; rename one")
        for feature in self.features:
            if feature.source == self.label:
                raise ValueError(f"feature {feature.name!r} reads the label; remove it")
            if isinstance(feature, SequenceFeature):
                self._check_sequence(feature)
        return self

    def _check_sequence(self, feature: SequenceFeature) -> None:
        if feature.share is not None:
            self._check_share(feature.name, feature.share)
        if feature.times is not None and self.time is None:
            raise ValueError(
                f"feature {feature.name!r} has `times`, but the schema has no `time`; "
                "add the column that says when a row was shown"
            )

    def _check_share(self, name: str, share: str) -> None:
        owners = {
            f.name
            for f in self.features
            if isinstance(f, CategoricalFeature)
            or (isinstance(f, SequenceFeature) and f.share is None)
        }
        if share not in owners or share == name:
            known = sorted(owners - {name})
            raise ValueError(
                f"feature {name!r} shares the table of {share!r}, which has no table to share: "
                f"{nearest(share, known)}"
            )


def load_schema(url: str) -> Schema:
    """Read the schema.yaml at a path or fsspec URL.

    Raises:
        SchemaError: If it cannot be read or is invalid; the message says where, and what to do.
    """
    return validate(Schema, read_yaml(url, SchemaError), url, SchemaError)


def dump_schema(schema: Schema) -> str:
    """The schema as YAML text, one feature per line; `load_schema` reads it back."""
    plain = schema.model_dump(exclude={"features"}, exclude_none=True)
    head = yaml.safe_dump(plain, sort_keys=False)
    lines = [f"  - {_one_line(feature)}" for feature in schema.features]
    return head + "features:\n" + "\n".join(lines) + "\n"


def _one_line(feature: _Feature) -> str:
    keys: dict[str, Any] = {"name": feature.name, "kind": feature.model_dump()["kind"]}
    keys |= feature.model_dump(exclude_defaults=True)
    text: str = yaml.safe_dump(keys, sort_keys=False, default_flow_style=True, width=10_000)
    return text.strip()
