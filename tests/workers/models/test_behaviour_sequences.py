"""Behaviour sequences of a layout, and where their events and ages are."""

import pytest

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.exceptions import SpecError
from mixfront.models import build_ranker, make_config
from mixfront.models.behaviour_sequences import BehaviourSequence, behaviour_sequences


def sequence(name: str, length: int, target: str | None, *, timed: bool) -> FieldLayout:
    return FieldLayout(
        name=name, domain="any", kind="sequence", length=length, target=target, timed=timed
    )


LAYOUT = FeatureLayout(
    fields=(
        sequence("seen", 4, "item", timed=True),
        FieldLayout(name="user", domain="any", kind="categorical"),
        sequence("tags", 2, None, timed=False),
        sequence("visited", 1, None, timed=True),
        sequence("liked", 3, "item", timed=True),
        sequence("followed", 2, "user", timed=False),
        FieldLayout(name="item", domain="any", kind="categorical"),
    ),
    num_rows=30,
    pad_rows=(0,),
)


def test_positions_count_all_sequences_and_ages_all_timed_ones() -> None:
    seen, liked, followed = behaviour_sequences(LAYOUT)
    assert seen == BehaviourSequence(
        name="seen", target=1, positions=slice(0, 4), ages=slice(0, 4)
    )
    assert liked == BehaviourSequence(
        name="liked", target=1, positions=slice(7, 10), ages=slice(5, 8)
    )
    assert followed == BehaviourSequence(
        name="followed", target=0, positions=slice(10, 12), ages=None
    )
    assert [s.length for s in (seen, liked, followed)] == [4, 3, 2]


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("kunlun", {}, "sequence_tokens above 0 .*; set sequence_tokens=0"),
        ("rankmixer", {"sequence_pool": "target"}, "sequence_pool 'target' .*'mean'"),
    ],
)
def test_data_without_a_behaviour_sequence_is_rejected(
    family: str, values: dict[str, object], message: str
) -> None:
    layout = LAYOUT.model_copy(update={"fields": LAYOUT.fields[1:3]})
    with pytest.raises(SpecError, match=message) as error:
        build_ranker(family, make_config(family, values), layout)
    assert "\n" not in str(error.value)
