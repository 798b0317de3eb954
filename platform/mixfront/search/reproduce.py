"""Compares a trial with its rerun: data, versions, weights and metrics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import fsspec

from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.metrics import Availability, describe_metric
from mixfront.training.request import TEST_PREFIX

TIMES = frozenset({"samples_per_s", "step_seconds", "mfu", "mfu_vendor"})  # differ from run to run


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences between a trial and its rerun."""

    same_data: bool | None  # None: the original record has no data digest
    versions: dict[str, tuple[str, str]]  # package -> (original, rerun), where they differ
    same_weights: bool | None  # bit for bit; None: one of the models is gone
    metrics: dict[str, tuple[float | None, float | None]]  # (original, rerun), without times

    def differences(self) -> list[str]:
        """One phrase per difference."""
        phrases = []
        if self.same_data is None:
            phrases.append("the original record has no data digest")
        elif not self.same_data:
            phrases.append("the data set has changed since the original run")
        phrases += [
            f"{name} was {old} and is now {new}" for name, (old, new) in self.versions.items()
        ]
        if self.same_weights is None:
            phrases.append("the original model is gone, so the weights cannot be compared")
        elif not self.same_weights:
            phrases.append("the weights differ")
        changed = [name for name, (old, new) in self.metrics.items() if old != new]
        if changed:
            phrases.append(f"metrics differ: {', '.join(changed)}")
        return phrases


def compare(
    search: SearchRecord, trial: TrialRecord, rerun_search: SearchRecord, rerun: TrialRecord
) -> Comparison:
    """Compare a trial with its rerun.

    Args:
        search: The trial's search.
        trial: The original trial.
        rerun_search: The rerun's search.
        rerun: The trial that was trained again.
    """
    same_data = None
    if search.dataset_digest is not None:
        same_data = search.dataset_digest == rerun_search.dataset_digest
    old, new = weights_digest(trial.model_url), weights_digest(rerun.model_url)
    names = [name for name in {**trial.metrics, **rerun.metrics} if is_repeatable(name)]
    return Comparison(
        same_data=same_data,
        versions=_differing(search.versions, rerun_search.versions),
        same_weights=None if old is None or new is None else old == new,
        metrics={n: (trial.metrics.get(n), rerun.metrics.get(n)) for n in names},
    )


def is_repeatable(metric: str) -> bool:
    """Whether a metric depends on the model alone and not on the machine's load."""
    row = describe_metric(metric.removeprefix(TEST_PREFIX))
    return row.available is Availability.AT_EVALUATIONS and row.name not in TIMES


def weights_digest(model_url: str | None) -> str | None:
    """SHA-256 of an exported model's weights, from its `model.json`; None if that is gone."""
    if model_url is None:
        return None
    fs, root = fsspec.core.url_to_fs(model_url)
    try:
        manifest = json.loads(fs.cat_file(f"{root}/model.json"))
        return str(manifest["weights"]["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = {**old, **new}
    pairs = {name: (old.get(name, "unknown"), new.get(name, "absent")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
