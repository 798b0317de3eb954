"""What a lane is sent for one trial."""

from dataclasses import dataclass

from mixfront.exceptions import SpecError
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord
from mixfront.spaces import split_flat
from mixfront.spec.metrics import Known, get_metric
from mixfront.spec.search_spec import SearchSpec
from mixfront.spec.training_overrides import training_of
from mixfront.training.request import DataRequest, TrialRequest

LATENCY_SECONDS = 0.2  # of every trial, so that its latency can be looked up
DECISIVE_LATENCY_SECONDS = 0.5  # where it decides: more calls, a steadier p99


@dataclass(frozen=True)
class RequestMaker:
    """Makes the requests of one search.

    Args:
        spec: What every trial has in common.
        search: Its record.
        store: Where checkpoints and models go.
    """

    spec: SearchSpec
    search: SearchRecord
    store: RecordStore

    def __call__(self, record: TrialRecord) -> TrialRequest:
        """The request of one trial; it continues from its last checkpoint, if it has one."""
        return make_request(self.spec, self.search, self.store, record)


def make_request(
    spec: SearchSpec, search: SearchRecord, store: RecordStore, record: TrialRecord
) -> TrialRequest:
    """The request of one trial; it continues from its last checkpoint, if it has one.

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
        ),
        training=training_of(spec.training, overrides),
        zero_stage=spec.trial.zero_stage,
        latency_seconds=_latency_seconds(spec),
        folder=store.trial_url(record.trial_id),
        resume_from=record.checkpoint,
    )


def _latency_seconds(spec: SearchSpec) -> float:
    decides = any(get_metric(name).known is Known.AT_THE_END for name in spec.asked_metrics())
    return DECISIVE_LATENCY_SECONDS if decides else LATENCY_SECONDS
