"""Finds the records of a search by its name, folder or spec."""

from mixfront.config_file import read_yaml
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.locations import absolute, expanded
from mixfront.records.store import RecordStore, open_storage
from mixfront.spec.storage import default_storage


def locate_search(search: str, storage: str | None = None) -> RecordStore:
    """Find a search by its name, its folder or its spec file.

    Args:
        search: A name in the storage, a path or URL of the search's folder, or a spec file.
        storage: The storage of the search; None = the spec's, else `MIXFRONT_STORAGE`, else
            `./mixfront-searches`.

    Raises:
        UnknownNameError: If there is no such search; suggests a close name.
        SpecError: If a spec file cannot be read or has no name.
        UsageError: If no file may be called like this.
    """
    expanded(search)
    store = _store_of(search, storage)
    if not store.exists():
        store.search()  # raises UnknownNameError with the existing names
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
        raise SpecError(f"{path} has no name; start a search spec with `name: NAME`")
    storage = storage or spec.get("storage") or default_storage()
    return RecordStore(absolute(str(storage)), spec["name"])


def _is_folder_of_search(search: str) -> bool:
    """Whether a path or URL is a search's folder; a bare name is looked up in the storage."""
    if "/" not in search:
        return False
    fs, root = open_storage(search)
    return bool(fs.exists(f"{root.rstrip('/')}/search.json"))
