"""From what a person calls a search to its records."""

import fsspec

from mixfront.config_file import read_yaml
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.locations import absolute
from mixfront.records.store import RecordStore
from mixfront.spec.storage import default_storage


def locate_search(search: str, storage: str | None = None) -> RecordStore:
    """Find a search by its name, its folder or the spec it was started from.

    Args:
        search: A name in the storage, a path or URL of the search's folder, or a spec file.
        storage: Where searches are kept; None = the spec's, else `MIXFRONT_STORAGE`, else
            `./mixfront-searches`.

    Raises:
        UnknownNameError: If there is no such search; names the nearest.
        SpecError: If a spec file is named that cannot be read or has no name.
    """
    store = _store_of(search, storage)
    if not store.exists():
        store.search()  # raises with the names that are known
    return store


def _store_of(search: str, storage: str | None) -> RecordStore:
    if search.endswith((".yaml", ".yml")):
        return _store_of_spec(search, storage)
    if _is_folder_of_search(search):
        parent, name = absolute(search).rsplit("/", 1)
        return RecordStore(parent, name)
    if "/" in search:
        raise UnknownNameError("search", search, [])
    return RecordStore(absolute(storage or default_storage()), search)


def _store_of_spec(path: str, storage: str | None) -> RecordStore:
    spec = read_yaml(path, SpecError)
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise SpecError(f"{path} has no name: a search spec begins with `name: ...`")
    place = storage or spec.get("storage") or default_storage()
    return RecordStore(absolute(str(place)), spec["name"])


def _is_folder_of_search(search: str) -> bool:
    """Only what looks like a place: a bare name is looked up in the storage."""
    if "/" not in search:
        return False
    fs, root = fsspec.core.url_to_fs(search)
    return bool(fs.exists(f"{root.rstrip('/')}/search.json"))
