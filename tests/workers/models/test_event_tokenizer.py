"""Event tokens: which events are read, their maps, and layouts that are rejected."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.exceptions import SpecError
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


def test_each_row_contributes_its_last_events() -> None:
    """Histories are padded at the end, so the last positions differ between rows."""
    events = torch.arange(10.0).view(2, 5, 1)
    mask = torch.arange(5) < torch.tensor([4, 1])[:, None]
    (last, doubled), last_mask = last_events([events, torch.cat([events, -events], 2)], mask, 2)
    assert last[..., 0].tolist() == [[2, 3], [5, 6]]
    assert doubled[..., 1].tolist() == [[-2, -3], [-5, -6]]
    assert last_mask.tolist() == [[True, True], [True, False]]
    assert last_events([events], mask, 5)[0][0] is events


def make_tokenizer(config: EventsConfig, layout: FeatureLayout = LAYOUT) -> EventTokenizer:
    """E = 2, D = 8, with biases, so that no token is zero by chance."""
    tokenizer = EventTokenizer(config, layout, embedding_dim=2, token_dim=8)
    for layer in tokenizer.maps:
        torch.nn.init.normal_(layer.get_parameter("bias"))
    return tokenizer


def make_events() -> tuple[Tensor, Tensor, Tensor]:
    """One row's events, mask and ages: 4 of "seen", 2 of "tags", 1 of "visited", 3 of "liked".

    The last position of "liked" is padding.
    """
    mask = torch.ones(1, 10, dtype=torch.bool)
    mask[0, 9] = False
    ages = torch.tensor([[80.0, 60.0, 40.0, 20.0, 99.0, 7.0, 5.0, 0.0]])
    return torch.randn(1, 10, 2), mask, ages


def test_sequences_are_concatenated_up_to_the_length() -> None:
    """S = 7 for 2 sequences: 3 events of each, with separate affine maps, and one padding."""
    tokenizer = make_tokenizer(EventsConfig(length=7))
    events, mask, ages = make_events()

    (joined,) = tokenizer(events, mask, ages)

    seen, liked = tokenizer.maps
    assert joined.mask.tolist() == [[True] * 5 + [False] * 2]
    torch.testing.assert_close(joined.tokens[:, :3], seen(events[:, 1:4]))
    torch.testing.assert_close(joined.tokens[:, 3:5], liked(events[:, 7:9]))
    assert torch.equal(joined.tokens[:, 5:], torch.zeros(1, 2, 8))
    assert joined.ages is None
    assert tokenizer.flops() == 2 * 6 * 2 * 8


def test_ages_follow_the_order_of_events() -> None:
    (joined,) = make_tokenizer(EventsConfig(length=7, timed=True))(*make_events())
    assert joined.ages is not None
    assert joined.ages.tolist() == [[60, 40, 20, 7, 5, 0, 0]]


def test_sequences_may_stay_separate() -> None:
    """Each is padded to S."""
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
    ("config", "message"),
    [
        (EventsConfig(length=1), "seq_len 1 is too short for the data's 2 behaviour sequences"),
        (
            EventsConfig(length=9, num_separate=3),
            r"num_sequences 3 does not match the data's 2 .* \(seen, liked\); set 2",
        ),
    ],
)
def test_invalid_lengths_and_numbers_of_sequences_are_rejected(
    config: EventsConfig, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        make_tokenizer(config)


def test_ages_need_the_times_of_every_sequence() -> None:
    fields = [f.model_copy(update={"timed": f.name != "liked"}) for f in LAYOUT.fields]
    layout = LAYOUT.model_copy(update={"fields": tuple(fields)})
    with pytest.raises(SpecError, match="no `times` for liked; add them, or set position 'rope'"):
        make_tokenizer(EventsConfig(length=9, timed=True), layout)
