"""All that must hold before a lane is started: data, study, tracking. Then the search exists."""

import time
import uuid

from rich.console import Console

from mixfront.data import Encoder, dataset_digest, load_schema, open_split
from mixfront.installation.versions import installed_versions
from mixfront.records import RecordStore, SearchRecord
from mixfront.search.cost_check import ModelCosts
from mixfront.search.reference import reference_point
from mixfront.spaces import load_space
from mixfront.spec.search_spec import SearchSpec
from mixfront.terminal.waiting import waiting
from mixfront.tracking.client import check_reachable


def prepare_search(
    spec: SearchSpec, console: Console, encoder_url: str | None = None
) -> tuple[RecordStore, SearchRecord]:
    """Check everything that can be checked, fit the encoder, and write the search's record.

    Whatever is wrong is found here, before anything is written and before a worker is started.

    Args:
        spec: What to search.
        console: Where progress is shown, and what was found.
        encoder_url: A fitted encoder to use instead of fitting one on the training rows.

    Raises:
        SpecError: If the name is taken, or the spec cannot be run.
        DataError, SchemaError: If the data is not as the spec says.
        TrackingError: If MLflow cannot be reached.
    """
    store = RecordStore(spec.storage, spec.name)
    store.refuse_existing()
    assert spec.optuna_storage is not None, "load_spec() resolves it"
    check_reachable(spec.tracking.uri)
    space = load_space(spec.space)
    encoder = _encode(spec, console, encoder_url)
    costs = ModelCosts.of_spec(spec, encoder.layout)
    point = reference_point(spec, space, costs)
    encoder.save(f"{store.url}/encoder")
    record = SearchRecord(
        search_id=f"{spec.name}-{uuid.uuid4().hex[:8]}",
        name=spec.name,
        spec=spec.dump(),
        objectives=list(spec.objectives),
        reference_point=point,
        optuna_storage=spec.optuna_storage,
        tracking_uri=spec.tracking.uri,
        experiment=spec.tracking.experiment,
        encoder=f"{store.url}/encoder",
        dataset_digest=dataset_digest(spec.data.path),
        versions=installed_versions(),
        created=time.time(),
    )
    store.create(record)
    return store, record


def _encode(spec: SearchSpec, console: Console, encoder_url: str | None) -> Encoder:
    """Fit the encoder on the training rows, and encode every split once for this node."""
    started = time.time()
    with waiting(console, "reading the training rows"):
        encoder = (
            Encoder.fit(spec.data, load_schema(spec.data.schema_))
            if encoder_url is None
            else Encoder.load(encoder_url)
        )
    filters = {
        "training": spec.data.train,
        "validation": spec.data.validation,
        "test": spec.data.test,
    }
    wanted = {name: text for name, text in filters.items() if text or name == "training"}
    rows = {}
    for name, text in wanted.items():
        with waiting(console, f"encoding the {name} rows"):
            rows[name] = open_split(spec.data.path, text, encoder).num_rows
    seconds = time.time() - started
    counts = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    fields = len(encoder.layout.fields)
    console.print(
        f"data: {counts} rows; {fields} fields, {encoder.layout.num_rows:,} embedding rows; "
        f"read and encoded in {seconds:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    return encoder
