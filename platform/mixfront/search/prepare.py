"""Prepares a search: checks data, space and tracking before any lane starts, then creates it."""

import time
import uuid

import fsspec
from rich.console import Console

from mixfront.data import Encoder, ParquetDataset, load_schema, open_dataset, open_split
from mixfront.exceptions import SpecError
from mixfront.installation.versions import installed_versions
from mixfront.records import RecordStore, SearchRecord
from mixfront.search.cost_check import ModelCosts
from mixfront.search.reference import reference_point
from mixfront.spaces import load_space, save_space
from mixfront.spec.search_spec import SearchSpec
from mixfront.terminal.waiting import waiting
from mixfront.tracking.client import check_reachable


def prepare_search(
    spec: SearchSpec, console: Console, encoder_url: str | None = None
) -> tuple[RecordStore, SearchRecord]:
    """Check everything that can be checked, fit the encoder, and write the search's record.

    Mistakes surface here, before anything is written and before a worker starts.

    Args:
        spec: The search to prepare.
        console: Where progress and a summary of the data are printed.
        encoder_url: A fitted encoder to use instead of fitting one on the training rows.

    Raises:
        SpecError: If the name is taken, or the spec cannot be run.
        DataError, SchemaError: If the data does not match the spec.
        TrackingError: If MLflow cannot be reached.
    """
    store = RecordStore(spec.storage, spec.name)
    store.refuse_existing()
    assert spec.optuna_storage is not None, "load_spec() resolves it"
    check_reachable(spec.tracking.uri)
    space = load_space(spec.space)
    dataset = open_dataset(spec.data.path)
    encoder = _encode(spec, dataset, console, encoder_url)
    costs = ModelCosts.of_spec(spec, encoder.layout)
    point = reference_point(spec, space, costs)
    key = uuid.uuid4().hex[:8]
    # Not shared with a `search run` beside this one.
    encoder_folder, space_file = f"{store.url}/encoder-{key}", f"{store.url}/space-{key}.yaml"
    encoder.save(encoder_folder)
    save_space(space, space_file)
    record = SearchRecord(
        search_id=f"{spec.name}-{key}",
        name=spec.name,
        spec=spec.dump(),
        objectives=list(spec.objectives),
        reference_point=point,
        optuna_storage=spec.optuna_storage,
        tracking_uri=spec.tracking.uri,
        experiment=spec.tracking.experiment,
        encoder=encoder_folder,
        space=space_file,
        dataset_digest=dataset.digest,
        versions=installed_versions(),
        created=time.time(),
    )
    try:
        store.create(record)
    except SpecError:
        fs, path = fsspec.core.url_to_fs(encoder_folder)
        fs.rm([path, fs._strip_protocol(space_file)], recursive=True)
        raise
    store.save_data_files(dataset.footers)
    return store, record


def _encode(
    spec: SearchSpec, dataset: ParquetDataset, console: Console, encoder_url: str | None
) -> Encoder:
    """Fit the encoder on the training rows, and encode every split once for this node."""
    started = time.time()
    with waiting(console, "reading the training rows"):
        encoder = (
            Encoder.fit(dataset, load_schema(spec.data.schema_), spec.data.train)
            if encoder_url is None
            else Encoder.load(encoder_url)
        )
    rows = {}
    for split, text in spec.data.filters.items():
        with waiting(console, f"encoding the {split} rows"):
            rows[split] = open_split(dataset, text, encoder).num_rows
    seconds = time.time() - started
    counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
    fields = len(encoder.layout.fields)
    console.print(
        f"data: {counts} rows; {fields} fields, {encoder.layout.num_rows:,} embedding rows; "
        f"read and encoded in {seconds:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    return encoder
