"""Proposes a first schema.yaml from names, types and counts; to be edited by hand."""

import re

from mixfront.data.inspection.profile import ColumnProfile
from mixfront.data.schema import (
    CategoricalFeature,
    Feature,
    NumericFeature,
    SequenceFeature,
)

_DOMAINS = (
    ("behaviour", r"(^|_)(seq|history|hist|recent|last|past|list)(_|$)"),
    ("context", r"(^|_)(hour|weekday|dow|tab|page|device|os|network|query|position|pos|slot|scene)"
                r"(_|$)"),
    ("item", r"(^|_)(item|video|photo|ad|ads|product|goods|sku|author|music|upload|tags?|genre"
             r"|category|cate|brand|price|shop|seller|server|freshness|campaign|creative)(_|$)"),
    ("user", r"(^|_)(user|uid|member|age|gender|sex|city|register|follow|follows|fans|friend"
             r"|onehot|active|streamer|history)(_|$)"),
)  # fmt: skip
_ID = re.compile(
    r"(^|_)(id|uid|pid|sku|feat\d*|code|type|index|idx)$|^(user|item|video|author|product|ad)$",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"(^|_)(num|count|cnt|days|len|length|duration|price|age|width|height|size|amount|score|ms)$",
    re.IGNORECASE,
)
_MAX_CATEGORIES = 64  # integers with at most this many distinct values are categories
_HASH_OVER = 1_000_000
_MAX_LENGTH = 50


def domain_of(name: str) -> str:
    """The semantic domain that a column's name suggests; "other" if none."""
    for domain, pattern in _DOMAINS:
        if re.search(pattern, name, re.IGNORECASE):
            return domain
    return "other"


def propose_feature(
    profile: ColumnProfile, num_rows: int, share: str | None = None
) -> Feature | None:
    """A feature for one column; None for constants and types that cannot be features.

    Args:
        profile: Profile of the column.
        num_rows: Number of sampled rows.
        share: The feature whose ids a list holds.
    """
    name, domain = profile.name, domain_of(profile.name)
    if profile.constant or profile.shape == "other":
        return None
    if profile.shape == "list":
        length = min(max(profile.p95_length, 1), _MAX_LENGTH)
        domain = "behaviour" if share else domain
        return SequenceFeature(name=name, domain=domain, length=length, share=share)
    if profile.shape == "text" or _is_category(profile):
        return _categorical(profile, domain, num_rows)
    return NumericFeature(
        name=name, domain=domain, encoding="log" if profile.skewed else "standard"
    )


def _is_category(profile: ColumnProfile) -> bool:
    few = profile.distinct <= (2 if _QUANTITY.search(profile.name) else _MAX_CATEGORIES)
    return profile.whole and (few or bool(_ID.search(profile.name)))


def _categorical(profile: ColumnProfile, domain: str, num_rows: int) -> CategoricalFeature:
    if profile.distinct > _HASH_OVER:
        return CategoricalFeature(
            name=profile.name, domain=domain, encoding="hash", buckets=_HASH_OVER
        )
    rare = profile.distinct > 1000 and profile.distinct * 2 <= num_rows
    return CategoricalFeature(name=profile.name, domain=domain, min_count=2 if rare else 1)
