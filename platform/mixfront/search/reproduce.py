"""Whether a trial that was trained again is the trial that it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import fsspec

from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.metrics import Known, describe_metric
from mixfront.training.request import TEST_PREFIX

TIMES = frozenset({"samples_per_s", "step_seconds", "mfu"})  # differ between any two runs


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A trial, and the same trial trained again."""

    same_data: bool | None  # None: the old record does not say
    versions: dict[str, tuple[str, str]]  # package -> (then, now), where they differ
    same_weights: bool | None  # bit for bit; None: a model is gone
    metrics: dict[str, tuple[float | None, float | None]]  # (then, now), times left out

    def differences(self) -> list[str]:
        """What differs, in sentences."""
        found = []
        if self.same_data is None:
            found.append("the old record has no digest of its data")
        elif not self.same_data:
            found.append("the data set has changed since")
        found += [
            f"{name} was {then} and is {now} now" for name, (then, now) in self.versions.items()
        ]
        if self.same_weights is None:
            found.append("the old model is gone, so weights cannot be compared")
        elif not self.same_weights:
            found.append("the weights differ")
        changed = [name for name, (then, now) in self.metrics.items() if then != now]
        if changed:
            found.append(f"metrics differ: {', '.join(changed)}")
        return found


def compare(
    search: SearchRecord, trial: TrialRecord, again: SearchRecord, trial_again: TrialRecord
) -> Comparison:
    """Compare a trial with the one that was trained from its record.

    Args:
        search: The search of the trial.
        trial: The trial.
        again: The search in which it was trained again.
        trial_again: The trial there.
    """
    same_data = None
    if search.dataset_digest is not None:
        same_data = search.dataset_digest == again.dataset_digest
    old, new = weights_digest(trial.model_url), weights_digest(trial_again.model_url)
    names = [name for name in {**trial.metrics, **trial_again.metrics} if is_repeatable(name)]
    return Comparison(
        same_data=same_data,
        versions=_differing(search.versions, again.versions),
        same_weights=None if old is None or new is None else old == new,
        metrics={n: (trial.metrics.get(n), trial_again.metrics.get(n)) for n in names},
    )


def is_repeatable(metric: str) -> bool:
    """Whether a metric depends on the model alone, and not on how busy the machine is."""
    row = describe_metric(metric.removeprefix(TEST_PREFIX))
    return row.known is Known.AT_EVALUATIONS and row.name not in TIMES


def weights_digest(model_url: str | None) -> str | None:
    """SHA-256 of an exported model's weights, as its `model.json` states it; None if gone."""
    if model_url is None:
        return None
    fs, root = fsspec.core.url_to_fs(model_url)
    try:
        about = json.loads(fs.cat_file(f"{root}/model.json"))
        return str(about["weights"]["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = {**then, **now}
    pairs = {name: (then.get(name, "unknown"), now.get(name, "absent")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
