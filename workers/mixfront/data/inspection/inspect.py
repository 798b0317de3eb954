"""Inspect a Parquet data set: its columns, warnings about them, and a first schema."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.dataset import check_columns, open_dataset
from mixfront.data.encoding.labels import encode_label
from mixfront.data.inspection.leaks import LabelSignal, label_signal, looks_like_outcome
from mixfront.data.inspection.profile import ColumnProfile, profile_column
from mixfront.data.inspection.propose import propose_feature
from mixfront.data.inspection.propose_times import check_times, match_times, time_unit
from mixfront.data.schema import Feature, Schema, SequenceFeature, TimeUnit
from mixfront.exceptions import SchemaError

SAMPLE_ROWS = 500_000
HIGH_NULLS = 0.5
_MIN_DISTINCT = 100  # with fewer values, lists and id columns overlap by chance
_MIN_JACCARD = 0.25  # least overlap of a list's items with an id column to share its table
_ROLE_NAMES = {
    "label": r"(^|_)(click|clicked|label|target|is_click|conversion)$",
    "user": r"^(user|user_?id|uid|member_?id)$",
    "time": r"^(time|timestamp|time_ms|ts|event_time|datetime)$",
}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a data set looks like, and a schema for it."""

    path: str
    num_rows: int  # of the whole data set
    sampled: int
    columns: tuple[ColumnProfile, ...]
    signals: dict[str, LabelSignal]  # column -> how well it alone predicts the label
    warnings: tuple[str, ...]
    schema: Schema


def inspect_data(
    path: str,
    label: str | None = None,
    user: str | None = None,
    time: str | None = None,
    sample_rows: int = SAMPLE_ROWS,
) -> Inspection:
    """Inspect the first `sample_rows` rows of a data set and propose a schema.

    Label, user and time are guessed from the columns' names unless they are given.

    Raises:
        DataError: If the data cannot be read, or the label is not 0 and 1.
        SchemaError: If a column does not exist, or no label or user can be guessed.
    """
    dataset = open_dataset(path)
    names = dataset.schema.names
    check_columns([name for name in (label, user, time) if name], dataset.schema, path)
    rows = dataset.head(sample_rows)
    profiles = tuple(profile_column(name, rows[name]) for name in names)
    label = label or _guess("label", [p.name for p in profiles if p.binary])
    user = user or _guess("user", names)
    time = time or _find("time", names)
    times = match_times(profiles, rows)
    signals = _signals(profiles, rows, label, {user, time, *dataset.partition_columns})
    excluded = {label, time, *dataset.partition_columns, *times.values()}
    features, warnings = _features(profiles, rows, signals, excluded)
    unit = time_unit(rows[time]) if time and times else None
    features, time_warnings = _add_times(features, rows, times, time, unit)
    if not features:
        raise SchemaError(f"no column of {path} can be a feature; check that it is the right data")
    return Inspection(
        path=path,
        num_rows=dataset.count_rows(),
        sampled=rows.num_rows,
        columns=profiles,
        signals=signals,
        warnings=(*warnings, *time_warnings),
        schema=Schema(label=label, user=user, time=time, time_unit=unit, features=tuple(features)),
    )


def _find(role: str, names: Sequence[str]) -> str | None:
    return next(
        (name for name in names if re.search(_ROLE_NAMES[role], name, re.IGNORECASE)), None
    )


def _guess(role: str, names: Sequence[str]) -> str:
    name = _find(role, names)
    if name is None:
        raise SchemaError(f"no column looks like the {role}; name it with --{role}")
    return name


def _signals(
    profiles: Sequence[ColumnProfile], rows: pa.Table, label: str, excluded: set[str | None]
) -> dict[str, LabelSignal]:
    labels = encode_label(rows[label], label).astype(np.float64)
    signals = {}
    for profile in profiles:
        if profile.name != label and profile.name not in excluded:
            signal = label_signal(profile, rows[profile.name], labels)
            if signal is not None:
                signals[profile.name] = signal
    return signals


def _features(
    profiles: Sequence[ColumnProfile],
    rows: pa.Table,
    signals: dict[str, LabelSignal],
    excluded: set[str | None],
) -> tuple[list[Feature], list[str]]:
    features: dict[str, Feature] = {}
    warnings: list[str] = []
    lists_last = sorted(profiles, key=lambda profile: profile.shape == "list")
    for profile in lists_last:
        if profile.name in excluded:
            continue
        warning, usable = _check_column(profile, signals.get(profile.name))
        warnings += [f"{profile.name}: {warning}"] if warning else []
        owners = [name for name, feature in features.items() if feature.kind == "categorical"]
        share = _shared_table(profile, owners, rows) if profile.shape == "list" else None
        feature = propose_feature(profile, rows.num_rows, share) if usable else None
        features |= {profile.name: feature} if feature else {}
    order = [profile.name for profile in profiles if profile.name in features]
    return [features[name] for name in order], warnings


def _add_times(
    features: list[Feature],
    rows: pa.Table,
    times: dict[str, str],
    time: str | None,
    unit: TimeUnit | None,
) -> tuple[list[Feature], list[str]]:
    """The features, with `times` for the sequences that have some, and warnings about times."""
    timed, warnings = [], []
    for feature in features:
        if not isinstance(feature, SequenceFeature) or feature.name not in times:
            timed.append(feature)
            continue
        column = times[feature.name]
        warning, usable = check_times(feature.name, column, rows, time, unit)
        warnings += [f"{column}: {warning}"] if warning else []
        timed.append(feature.model_copy(update={"times": column}) if usable else feature)
    return timed, warnings


def _check_column(profile: ColumnProfile, signal: LabelSignal | None) -> tuple[str | None, bool]:
    """A warning about a column, if any, and whether it can be a feature."""
    if not profile.name:
        return "a column has no name; left out", False
    if profile.constant:
        return "has only one value; left out", False
    if profile.shape == "other":
        return f"{profile.type} cannot be a feature; left out", False
    if profile.shape == "list" and "timestamp" in profile.type:
        return "no other list has as many items as these times; left out", False
    if signal is not None and signal.leaks:
        return f"alone predicts the label with AUC {signal.auc:.3f}: a leak; left out", False
    if looks_like_outcome(profile):
        alone = f" (AUC {signal.auc:.3f} alone)" if signal else ""
        return f"looks like another outcome, known only afterwards{alone}; left out", False
    if signal is not None and signal.purity and signal.purity > 0.99 and signal.auc > 0.55:
        return (
            f"one of its values has the same label in {signal.purity:.1%} of its rows; check it",
            True,
        )
    if profile.null_share > HIGH_NULLS:
        return f"{profile.null_share:.0%} nulls", True
    if profile.sentinels:
        return f"{', '.join(map(repr, profile.sentinels))} may mean `unknown`", True
    return None, True


def _shared_table(profile: ColumnProfile, owners: Sequence[str], rows: pa.Table) -> str | None:
    """The id column that a list's items come from: the one whose values overlap most."""
    if profile.distinct < _MIN_DISTINCT:
        return None
    items = pc.list_flatten(rows[profile.name]).unique()
    best, best_name = _MIN_JACCARD, None
    for name in owners:
        values = rows[name].unique()
        if len(values) < _MIN_DISTINCT or not _comparable(values.type, items.type):
            continue
        common = int(
            pc.sum(pc.is_in(items, value_set=values.cast(items.type, safe=False))).as_py()
        )
        jaccard = common / (len(items) + len(values) - common)
        if jaccard > best:
            best, best_name = jaccard, name
    return best_name


def _comparable(one: Any, other: Any) -> bool:
    types = pa.types
    whole = types.is_integer(one) and types.is_integer(other)
    return bool(whole or (types.is_string(one) and types.is_string(other)))
