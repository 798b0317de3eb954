"""The request that a lane gets for one trial."""

from dataclasses import dataclass

from mixfront.exceptions import SpecError
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord
from mixfront.spaces import split_flat
from mixfront.spec.metrics import Availability, get_metric
from mixfront.spec.search_spec import SearchSpec
from mixfront.spec.training_overrides import override_training
from mixfront.training.request import DataRequest, TrialRequest

LATENCY_SECONDS = 0.2  # measured in every trial, so that its latency can be looked up
DECISIVE_LATENCY_SECONDS = 0.5  # if latency decides: more calls, a more stable p99


@dataclass(frozen=True)
class RequestMaker:
    """Makes the requests of one search.

    Args:
        spec: The search's spec.
        search: The search's record.
        store: Where checkpoints and models are written.
    """

    spec: SearchSpec
    search: SearchRecord
    store: RecordStore

    def __call__(self, record: TrialRecord) -> TrialRequest:
        """The request for one trial, which continues from its last checkpoint, if any."""
        return make_request(self.spec, self.search, self.store, record)


def make_request(
    spec: SearchSpec, search: SearchRecord, store: RecordStore, record: TrialRecord
) -> TrialRequest:
    """The request for one trial, which continues from its last checkpoint, if any.

    Raises:
        SpecError: If the configuration does not fit `training:`, or no encoder was fitted.
    """
    if search.encoder is None:
        raise SpecError(f"search {search.name!r} has no fitted encoder; start a new search")
    family, model, overrides = split_flat(record.config)
    return TrialRequest(
        search_id=search.search_id,
        trial_id=record.trial_id,
        family=family,
        model=model,
        data=DataRequest(
            path=spec.data.path,
            train=spec.data.train,
            validation=spec.data.validation,
            test=spec.data.test,
            encoder=search.encoder,
            digest=search.dataset_digest,
        ),
        training=override_training(spec.training, overrides),
        zero_stage=spec.trial.zero_stage,
        latency_seconds=_latency_seconds(spec),
        folder=store.trial_url(record.trial_id),
        resume_from=record.checkpoint,
    )


def _latency_seconds(spec: SearchSpec) -> float:
    metrics = [get_metric(name) for name in spec.used_metrics()]
    decides = any(metric.available is Availability.AFTER_TRAINING for metric in metrics)
    return DECISIVE_LATENCY_SECONDS if decides else LATENCY_SECONDS
