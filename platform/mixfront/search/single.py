"""A search with one trial: a single configuration, trained in the same way as any trial."""

import uuid
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

_SPACES = "config-*.yaml"  # one per command, as two may start at once with the same free name


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split overrides into those of the spec and those of the configuration ("family=...")."""
    spec = [text for text in overrides if text.split("=")[0].split(".")[0] in _SPEC_KEYS]
    return spec, [text for text in overrides if text not in spec]


_SPEC_KEYS = frozenset(SearchSpec.model_fields)


def choose_config(spec: SearchSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration to train.

    If the overrides name a family, they apply to its defaults, otherwise to the spec's first
    enqueued configuration.

    Raises:
        SpecError: If no family is named, or the configuration cannot be built.
    """
    if FAMILY in overrides:
        config = dict(overrides)
    elif spec.search.enqueue:
        config = {**spec.search.enqueue[0], **overrides}
    else:
        raise SpecError(
            "the spec enqueues no configuration and no family is named; add `-o family=NAME`"
        )
    family, model, _ = split_flat(config)
    make_config(family, model)
    return config


@contextmanager
def single_spec(spec: SearchSpec, config: Mapping[str, Any], name: str) -> Iterator[SearchSpec]:
    """A spec that trains exactly one configuration; prepare the search inside the block.

    Its space is a file in the search's folder, so that the search can be resumed. If the block
    raises before the search exists, file and folder are removed.

    Args:
        spec: Source of data, training, resources and tracking; its constraints do not apply to
            an explicit configuration.
        config: Flat configuration, including its family.
        name: Name of the new search; must be free.
    """
    file = _SPACES.replace("*", uuid.uuid4().hex[:8])
    url = f"{spec.storage.rstrip('/')}/{name}/{file}"
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
        "optuna_storage": _optuna_storage(spec, name),
    }
    try:
        yield spec.model_copy(update=changes)
    except BaseException:
        record = f"{folder}/search.json"
        if not fs.exists(record) or file.encode() not in fs.cat_file(record):
            fs.rm(path)
            if is_new and not fs.glob(f"{folder}/{_SPACES}") and not fs.exists(record):
                fs.rm(folder, recursive=True)
        raise


def _space(config: Mapping[str, Any]) -> dict[str, Any]:
    keys = {key: {"kind": "fixed", "value": value} for key, value in config.items()}
    family = keys.pop(FAMILY)["value"]
    return {"families": {family: keys}}


def _optuna_storage(spec: SearchSpec, name: str) -> str | None:
    """The spec's Optuna storage, moved to the new search's folder if it is in the old one's."""
    if spec.optuna_storage is None:
        return None
    root = spec.storage.rstrip("/")
    return spec.optuna_storage.replace(f"{root}/{spec.name}/", f"{root}/{name}/")
