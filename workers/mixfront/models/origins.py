"""Where a hyperparameter's default comes from: a paper, the authors' code, or us.

A config says so next to the default: `rank: OurDefault[int] = Field(64, ...)`. If an inherited
default has another origin in a family, its config says so in `inherited_origins`.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel

Origin = Literal["paper", "authors' code", "ours"]
Origins = Mapping[str, Origin]


@dataclass(frozen=True)
class DefaultFrom:
    """Metadata of a config's field.

    Attributes:
        origin: `paper`: the family's paper states the default, or its equations imply it.
            `authors' code`: not stated in the paper, but used in the public training code of
            UniMixer's authors, for their own models or for a baseline. `ours`: no source states
            it, sources disagree, or we deviate from them.
    """

    origin: Origin


T = TypeVar("T")
PaperDefault = Annotated[T, DefaultFrom("paper")]
AuthorsDefault = Annotated[T, DefaultFrom("authors' code")]
OurDefault = Annotated[T, DefaultFrom("ours")]


def default_origin(config: type[BaseModel], key: str) -> Origin | None:
    """Origin of the default of a config's field; None if the config does not say."""
    for cls in config.__mro__:
        inherited: Origins = vars(cls).get("inherited_origins", {})
        if key in inherited:
            return inherited[key]
        if key in inspect.get_annotations(cls):  # declared here, so its own metadata apply
            break
    metadata = config.model_fields[key].metadata
    return next((item.origin for item in metadata if isinstance(item, DefaultFrom)), None)
