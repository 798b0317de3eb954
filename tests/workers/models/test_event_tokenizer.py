"""Events to tokens: which are kept, their maps, and what cannot be built."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.exceptions import SpecError
from mixfront.models import build_ranker, make_config
from mixfront.models._base import EventsConfig
from mixfront.models.event_tokenizer import EventTokenizer, last_events


def sequence(name: str, length: int, target: str | None, *, timed: bool = True) -> FieldLayout:
    return FieldLayout(
        name=name, domain="any", kind="sequence", length=length, target=target, timed=timed
    )


LAYOUT = FeatureLayout(
    fields=(
        sequence("seen", 4, "item"),
        FieldLayout(name="user", domain="any", kind="categorical"),
        sequence("tags", 2, None, timed=False),
        sequence("visited", 1, None),
        sequence("liked", 3, "item"),
        FieldLayout(name="item", domain="any", kind="categorical"),
    ),
    num_rows=30,
    pad_rows=(0,),
)


def test_the_last_events_of_each_row_are_kept() -> None:
    """Padding lies behind a history, so that rows are cut at different places."""
    events = torch.arange(10.0).view(2, 5, 1)
    mask = torch.arange(5) < torch.tensor([4, 1])[:, None]
    (kept, doubled), there = last_events([events, torch.cat([events, -events], 2)], mask, 2)
    assert kept[..., 0].tolist() == [[2, 3], [5, 6]]
    assert doubled[..., 1].tolist() == [[-2, -3], [-5, -6]]
    assert there.tolist() == [[True, True], [True, False]]
    assert last_events([events], mask, 5)[0][0] is events


def make_tokenizer(asked: EventsConfig, layout: FeatureLayout = LAYOUT) -> EventTokenizer:
    """E = 2, D = 8, with biases, so that nothing is zero by chance."""
    tokenizer = EventTokenizer(asked, layout, embedding_dim=2, token_dim=8)
    for layer in tokenizer.maps:
        torch.nn.init.normal_(layer.get_parameter("bias"))
    return tokenizer


def make_events() -> tuple[Tensor, Tensor, Tensor]:
    """Events of a row, its mask and ages: 4 of "seen", 2 of "tags", 1 of "visited", 3 of "liked".

    The last of "liked" is none.
    """
    mask = torch.ones(1, 10, dtype=torch.bool)
    mask[0, 9] = False
    ages = torch.tensor([[80.0, 60.0, 40.0, 20.0, 99.0, 7.0, 5.0, 0.0]])
    return torch.randn(1, 10, 2), mask, ages


def test_sequences_lie_side_by_side_up_to_the_length() -> None:
    """S = 7 for 2 sequences: 3 events of each, by an affine map of its own; one left over."""
    tokenizer = make_tokenizer(EventsConfig(length=7))
    events, mask, ages = make_events()

    (found,) = tokenizer(events, mask, ages)

    seen, liked = tokenizer.maps
    assert found.mask.tolist() == [[True] * 5 + [False] * 2]
    torch.testing.assert_close(found.tokens[:, :3], seen(events[:, 1:4]))
    torch.testing.assert_close(found.tokens[:, 3:5], liked(events[:, 7:9]))
    assert torch.equal(found.tokens[:, 5:], torch.zeros(1, 2, 8))
    assert found.ages is None
    assert tokenizer.flops() == 2 * 6 * 2 * 8


def test_ages_lie_beside_their_events() -> None:
    (found,) = make_tokenizer(EventsConfig(length=7, timed=True))(*make_events())
    assert found.ages is not None
    assert found.ages.tolist() == [[60, 40, 20, 7, 5, 0, 0]]


def test_sequences_may_be_kept_apart() -> None:
    """Each has as many places, those that it does not fill zero."""
    tokenizer = make_tokenizer(EventsConfig(length=4, num_separate=2, timed=True))
    events, mask, ages = make_events()

    seen, liked = tokenizer(events, mask, ages)

    torch.testing.assert_close(seen.tokens, tokenizer.maps[0](events[:, :4]))
    torch.testing.assert_close(liked.tokens[:, :2], tokenizer.maps[1](events[:, 7:9]))
    assert torch.equal(liked.tokens[:, 2:], torch.zeros(1, 2, 8))
    assert liked.mask.tolist() == [[True, True, False, False]]
    assert [seen.ages.tolist(), liked.ages.tolist()] == [[[80, 60, 40, 20]], [[7, 5, 0, 0]]]
    assert tokenizer.flops() == 2 * 7 * 2 * 8


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (EventsConfig(length=1), "seq_len 1 leaves no event for each of the data's 2"),
        (
            EventsConfig(length=9, num_separate=3),
            r"num_sequences 3 does not match the data's 2 .* \(seen, liked\); set 2",
        ),
    ],
)
def test_sequences_that_do_not_fit_are_refused(asked: EventsConfig, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        make_tokenizer(asked)


def test_a_sequence_without_times_has_no_ages() -> None:
    fields = [f.model_copy(update={"timed": f.name != "liked"}) for f in LAYOUT.fields]
    layout = LAYOUT.model_copy(update={"fields": tuple(fields)})
    with pytest.raises(SpecError, match="no `times` for liked; add them, or set position 'rope'"):
        make_tokenizer(EventsConfig(length=9, timed=True), layout)


@pytest.mark.parametrize(
    ("family", "values", "sentence"),
    [
        ("kunlun", {}, "sequence_tokens above 0 .*; set sequence_tokens=0"),
        ("rankmixer", {"sequence_pool": "target"}, "sequence_pool 'target' .*'mean'"),
    ],
)
def test_data_without_a_behaviour_sequence_is_refused(
    family: str, values: dict[str, object], sentence: str
) -> None:
    layout = LAYOUT.model_copy(update={"fields": LAYOUT.fields[1:3]})
    with pytest.raises(SpecError, match=sentence) as caught:
        build_ranker(family, make_config(family, values), layout)
    assert "\n" not in str(caught.value)
