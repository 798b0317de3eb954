"""Look at a Parquet data set: its columns, what is odd about them, and a first schema."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.dataset import check_columns, open_dataset
from mixfront.data.encoding.labels import encode_label
from mixfront.data.inspection.leaks import LabelLink, link_to_label, looks_like_outcome
from mixfront.data.inspection.profile import ColumnProfile, profile_column
from mixfront.data.inspection.propose import propose_feature
from mixfront.data.inspection.propose_times import judge_times, time_unit, times_of_lists
from mixfront.data.schema import Feature, Schema, SequenceFeature, TimeUnit
from mixfront.exceptions import SchemaError

SAMPLE_ROWS = 500_000
HIGH_NULLS = 0.5
_FEW = 100  # distinct values below which lists and columns agree by chance
_SHARED = 0.25  # of the values of a list and of an id column: so many in common, at least
_NAMES = {
    "label": r"(^|_)(click|clicked|label|target|is_click|conversion)$",
    "user": r"^(user|user_?id|uid|member_?id)$",
    "time": r"^(time|timestamp|time_ms|ts|event_time|datetime)$",
}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found."""

    path: str
    num_rows: int  # of the whole data set
    sampled: int
    columns: tuple[ColumnProfile, ...]
    links: dict[str, LabelLink]  # column -> how well it tells the label
    warnings: tuple[str, ...]
    schema: Schema


def inspect_data(
    path: str,
    label: str | None = None,
    user: str | None = None,
    time: str | None = None,
    sample_rows: int = SAMPLE_ROWS,
) -> Inspection:
    """Look at the first `sample_rows` rows of a data set and propose a schema.

    Label, user and time are guessed from the columns' names where they are not given.

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
    times = times_of_lists(profiles, rows)
    links = _links(profiles, rows, label, {user, time, *dataset.partition_columns})
    apart = {label, time, *dataset.partition_columns, *times.values()}
    features, warnings = _features(profiles, rows, links, apart)
    unit = time_unit(rows[time]) if time and times else None
    features, odd = _with_times(features, rows, times, time, unit)
    if not features:
        raise SchemaError(f"no column of {path} can be a feature; look at its columns")
    return Inspection(
        path=path,
        num_rows=dataset.count_rows(),
        sampled=rows.num_rows,
        columns=profiles,
        links=links,
        warnings=(*warnings, *odd),
        schema=Schema(label=label, user=user, time=time, time_unit=unit, features=tuple(features)),
    )


def _find(role: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if re.search(_NAMES[role], name, re.IGNORECASE)), None)


def _guess(role: str, names: Sequence[str]) -> str:
    found = _find(role, names)
    if found is None:
        raise SchemaError(f"no column looks like the {role}; name it with --{role}")
    return found


def _links(
    profiles: Sequence[ColumnProfile], rows: pa.Table, label: str, apart: set[str | None]
) -> dict[str, LabelLink]:
    truth = encode_label(rows[label], label).astype(np.float64)
    links = {}
    for profile in profiles:
        if profile.name != label and profile.name not in apart:
            link = link_to_label(profile, rows[profile.name], truth)
            if link is not None:
                links[profile.name] = link
    return links


def _features(
    profiles: Sequence[ColumnProfile],
    rows: pa.Table,
    links: dict[str, LabelLink],
    apart: set[str | None],
) -> tuple[list[Feature], list[str]]:
    found: dict[str, Feature] = {}
    warnings: list[str] = []
    lists_last = sorted(profiles, key=lambda profile: profile.shape == "list")
    for profile in lists_last:
        if profile.name in apart:
            continue
        warning, usable = _judge(profile, links.get(profile.name))
        warnings += [f"{profile.name}: {warning}"] if warning else []
        owners = [name for name, feature in found.items() if feature.kind == "categorical"]
        share = _shared_table(profile, owners, rows) if profile.shape == "list" else None
        feature = propose_feature(profile, rows.num_rows, share) if usable else None
        found |= {profile.name: feature} if feature else {}
    order = [profile.name for profile in profiles if profile.name in found]
    return [found[name] for name in order], warnings


def _with_times(
    features: list[Feature],
    rows: pa.Table,
    times: dict[str, str],
    time: str | None,
    unit: TimeUnit | None,
) -> tuple[list[Feature], list[str]]:
    """Sequences with the column of their events' times, and what is odd about these."""
    told, warnings = [], []
    for feature in features:
        if not isinstance(feature, SequenceFeature) or feature.name not in times:
            told.append(feature)
            continue
        column = times[feature.name]
        warning, usable = judge_times(feature.name, column, rows, time, unit)
        warnings += [f"{column}: {warning}"] if warning else []
        told.append(feature.model_copy(update={"times": column}) if usable else feature)
    return told, warnings


def _judge(profile: ColumnProfile, link: LabelLink | None) -> tuple[str | None, bool]:
    """What to warn of in a column, and whether it may be a feature."""
    if profile.constant:
        return "one value only; left out", False
    if profile.shape == "other":
        return f"{profile.type} cannot be a feature; left out", False
    if profile.shape == "list" and "timestamp" in profile.type:
        return "no other list is as long as these times; left out", False
    if link is not None and link.leaks:
        return f"alone it tells the label with AUC {link.auc:.3f}: a leak; left out", False
    if looks_like_outcome(profile):
        told = f" (AUC {link.auc:.3f} alone)" if link else ""
        return f"looks like another outcome, known only afterwards{told}; left out", False
    if link is not None and link.pure is not None and link.pure > 0.99 and link.auc > 0.55:
        return f"one of its values decides the label in {link.pure:.1%} of rows; check it", True
    if profile.null_share > HIGH_NULLS:
        return f"{profile.null_share:.0%} nulls", True
    if profile.sentinels:
        return f"{', '.join(map(repr, profile.sentinels))} may mean `not known`", True
    return None, True


def _shared_table(profile: ColumnProfile, owners: Sequence[str], rows: pa.Table) -> str | None:
    """The id column that a list's items come from: the one with most values in common."""
    if profile.distinct < _FEW:
        return None
    items = pc.list_flatten(rows[profile.name]).unique()
    best, best_name = _SHARED, None
    for name in owners:
        values = rows[name].unique()
        if len(values) < _FEW or not _same_family(values.type, items.type):
            continue
        common = int(
            pc.sum(pc.is_in(items, value_set=values.cast(items.type, safe=False))).as_py()
        )
        jaccard = common / (len(items) + len(values) - common)
        if jaccard > best:
            best, best_name = jaccard, name
    return best_name


def _same_family(one: Any, other: Any) -> bool:
    types = pa.types
    whole = types.is_integer(one) and types.is_integer(other)
    return bool(whole or (types.is_string(one) and types.is_string(other)))
