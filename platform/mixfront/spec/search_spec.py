"""The search spec: YAML parsed into one typed, frozen object, with defaults and paths resolved.

Paths that a search reads (`data.path`, `data.schema`, `space`) are relative to the spec file's
folder. Paths that it writes (`storage`, `tracking.uri`, `optuna_storage`) and paths in overrides
are relative to the working directory. In a packaged spec, every path is relative to the working
directory, except for files that are next to the spec in the package.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator

from mixfront.config_file import parse_yaml, read_yaml, validate
from mixfront.data.config import DataConfig
from mixfront.exceptions import SpecError, nearest
from mixfront.lanes.config import TrialConfig
from mixfront.spec.constraints import Constraints
from mixfront.spec.files import find_spec, resolve
from mixfront.spec.metrics import get_metric
from mixfront.spec.objectives import Objective, ObjectiveSpec
from mixfront.spec.part import Part
from mixfront.spec.search_config import SearchConfig
from mixfront.spec.stopping import NoStopping, Stopping
from mixfront.spec.storage import DEFAULT_STORAGE
from mixfront.training.config import TrainingConfig

_KEEP = re.compile(r"^(all|front|best:[1-9]\d{0,8})$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
_DEFAULT_OBJECTIVES = (
    Objective(metric="auc", direction="max"),
    Objective(metric="flops", direction="min"),
)


class TrackingSpec(Part):
    """The MLflow server and experiment."""

    uri: str = "sqlite:///mixfront.db"
    experiment: str = Field("mixfront", min_length=1)


class SearchSpec(Part):
    """One search; everything except `name` and `data` has a default."""

    name: str
    data: DataConfig
    space: str = "all_families"  # a packaged space, or a path
    objectives: tuple[ObjectiveSpec, ...] = Field(_DEFAULT_OBJECTIVES, min_length=1)
    constraints: Constraints = Field(default_factory=dict)
    search: SearchConfig = SearchConfig.model_validate({})
    stopping: Stopping = NoStopping()
    training: TrainingConfig = TrainingConfig()
    trial: TrialConfig = TrialConfig()
    tracking: TrackingSpec = TrackingSpec()
    storage: str = DEFAULT_STORAGE
    keep: str = "all"  # complete trials that keep checkpoint and export: all, front or best:N
    reference_point: dict[str, float] = Field(default_factory=dict)  # by metric, in its own unit
    optuna_storage: str | None = None  # any URL that Optuna accepts

    @field_validator("name")
    @classmethod
    def _safe_name(cls, name: str) -> str:
        if not _NAME.match(name):
            raise ValueError(
                "it becomes a folder's name, so use at most 63 letters, digits, '.', '_' and '-', "
                "and start with a letter or digit"
            )
        return name

    @field_validator("keep")
    @classmethod
    def _known_keep(cls, keep: str) -> str:
        if not _KEEP.match(keep):
            raise ValueError("write 'all', 'front' or 'best:N', such as 'best:20'")
        return keep

    @field_validator("space", mode="before")
    @classmethod
    def _space_by_name(cls, space: object) -> object:
        if isinstance(space, dict):
            raise ValueError(
                "a space must be a separate file; move it to a file and give its path here"
            )
        return space

    @model_validator(mode="after")
    def _check(self) -> "SearchSpec":
        metrics = [objective.metric for objective in self.objectives]
        if len(set(metrics)) < len(metrics):
            raise ValueError(f"an objective appears twice in {metrics}; list each metric once")
        trained = [o.metric for o in self.objectives if not o.before_training]
        if self.search.sampler == "mixfront" and len(trained) != 1:
            raise ValueError(
                f"the sampler 'mixfront' needs one objective that is measured by training, not "
                f"{trained}; change the objectives, or set search.sampler to tpe"
            )
        for metric, value in self.reference_point.items():
            if metric not in metrics:
                raise ValueError(
                    f"reference_point names {metric!r}, which is not an objective: "
                    f"{nearest(metric, metrics)}"
                )
            if get_metric(metric).log10 and value <= 0:
                raise ValueError(
                    f"reference_point.{metric} is {value}; set it to a number greater than 0"
                )
        return self

    def used_metrics(self) -> set[str]:
        """The metrics of objectives and constraints."""
        return {objective.metric for objective in self.objectives} | self.constraints.keys()

    def dump(self) -> dict[str, Any]:
        """The spec as plain JSON, which `SearchSpec.model_validate` reads back."""
        return self.model_dump(mode="json", by_alias=True)


def load_spec(source: str, overrides: Sequence[str] = ()) -> SearchSpec:
    """Read a spec file, or a packaged spec by its bare name.

    Args:
        source: Path, URL, or name such as "demo".
        overrides: "a.b=value", with the value in YAML; they take precedence over the file.

    Raises:
        SpecError: If anything in the spec is wrong; one sentence.
        UnknownNameError: If a bare name is neither a file nor a packaged spec.
    """
    file = find_spec(source)
    data = (
        read_yaml(file.location, SpecError)
        if file.text is None
        else parse_yaml(file.text, file.location, SpecError)
    )
    if not isinstance(data, dict):
        raise SpecError(f"{file.location} has no keys; start a search spec with `name:`")
    data = resolve(data, [_override(text) for text in overrides], file)
    if isinstance(data.get("data"), dict) and not data["data"].get("path"):
        raise SpecError(f"{file.location}: 'data.path' is missing; set it with `-o data.path=URL`")
    return validate(SearchSpec, data, file.location, SpecError)


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise SpecError(
            f"the override {text!r} is not `key=value`; write, for example, `-o search.trials=40`"
        )
    return path, parse_yaml(value, f"the override {text!r}", SpecError)
