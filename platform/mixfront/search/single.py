"""A search of one trial: one configuration, trained by the path that every trial takes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import fsspec
import yaml

from mixfront.exceptions import SpecError
from mixfront.models import make_config
from mixfront.spaces import split_flat
from mixfront.spaces.keys import FAMILY
from mixfront.spec.search_config import SearchConfig
from mixfront.spec.search_spec import SearchSpec
from mixfront.spec.stopping import NoStopping

_SPACE = "space.yaml"


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides of the spec, and those of the configuration ("family=...", "optimizer.lr=...")."""
    spec = [text for text in overrides if text.split("=")[0].split(".")[0] in _SPEC_KEYS]
    return spec, [text for text in overrides if text not in spec]


_SPEC_KEYS = frozenset(SearchSpec.model_fields)


def choose_config(spec: SearchSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration to train.

    A family that is given starts from its defaults; otherwise the spec's first enqueued point is
    the start. What else is given is set on top.

    Raises:
        SpecError: If nothing names a family, or the configuration cannot be built.
    """
    if FAMILY in given:
        config = dict(given)
    elif spec.search.enqueue:
        config = {**spec.search.enqueue[0], **given}
    else:
        raise SpecError("nothing says which family to train; add `-o family=NAME`")
    family, model, _ = split_flat(config)
    make_config(family, model)
    return config


@contextmanager
def single_spec(spec: SearchSpec, config: Mapping[str, Any], name: str) -> Iterator[SearchSpec]:
    """A spec that trains one configuration and nothing else; prepare the search inside.

    Its space is a file in the search's folder, so that the search can be resumed. If preparing
    it fails, the file is removed again.

    Args:
        spec: Data, training, resources and tracking come from here; constraints do not, since
            the configuration was asked for by name.
        config: Flat, with its family.
        name: Of the new search; must be free.
    """
    url = f"{spec.storage.rstrip('/')}/{name}/{_SPACE}"
    fs, path = fsspec.core.url_to_fs(url)
    folder = path.rsplit("/", 1)[0]
    is_new = not fs.exists(folder)
    fs.makedirs(folder, exist_ok=True)
    fs.pipe_file(path, yaml.safe_dump(_space(config), sort_keys=False).encode())
    changes = {
        "name": name,
        "space": url,
        "search": SearchConfig.model_validate({"trials": 1, "seed": spec.search.seed}),
        "stopping": NoStopping(),
        "constraints": {},
        "optuna_storage": _study_of(spec, name),
    }
    try:
        yield spec.model_copy(update=changes)
    except BaseException:
        if is_new and not fs.exists(f"{folder}/search.json"):
            fs.rm(folder, recursive=True)
        raise


def _space(config: Mapping[str, Any]) -> dict[str, Any]:
    keys = {key: {"kind": "fixed", "value": value} for key, value in config.items()}
    family = keys.pop(FAMILY)["value"]
    return {"families": {family: keys}}


def _study_of(spec: SearchSpec, name: str) -> str | None:
    """A study in the old search's folder becomes one in the new search's."""
    if spec.optuna_storage is None:
        return None
    root = spec.storage.rstrip("/")
    return spec.optuna_storage.replace(f"{root}/{spec.name}/", f"{root}/{name}/")
