"""Events to tokens: which are kept, their maps, and what cannot be built."""

import pytest
import torch

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.exceptions import SpecError
from mixfront.models import build_ranker, make_config
from mixfront.models.event_tokenizer import EventTokenizer, last_events
from mixfront.models.kunlun_config import KunlunConfig


def sequence(name: str, length: int, target: str | None) -> FieldLayout:
    return FieldLayout(name=name, domain="any", kind="sequence", length=length, target=target)


LAYOUT = FeatureLayout(
    fields=(
        sequence("seen", 4, "item"),
        FieldLayout(name="user", domain="any", kind="categorical"),
        sequence("tags", 2, None),
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
    kept, there = last_events(events, mask, 2)
    assert kept[..., 0].tolist() == [[2, 3], [5, 6]]
    assert there.tolist() == [[True, True], [True, False]]
    assert last_events(events, mask, 5)[0] is events


def test_sequences_lie_side_by_side_up_to_the_length() -> None:
    """S = 7 for 2 sequences: 3 events of each, by an affine map of its own; one left over."""
    config = KunlunConfig(embedding_dim=2, token_dim=8, seq_len=7)
    tokenizer = EventTokenizer(config, LAYOUT)
    for layer in tokenizer.maps:
        torch.nn.init.normal_(layer.get_parameter("bias"))
    events, mask = torch.randn(1, 9, 2), torch.ones(1, 9, dtype=torch.bool)
    mask[0, 8] = False  # the last of "liked"

    tokens, there = tokenizer(events, mask)

    seen, liked = tokenizer.maps
    assert there.tolist() == [[True] * 5 + [False] * 2]
    torch.testing.assert_close(tokens[:, :3], seen(events[:, 1:4]))
    torch.testing.assert_close(tokens[:, 3:5], liked(events[:, 6:8]))
    assert torch.equal(tokens[:, 5:], torch.zeros(1, 2, 8))
    assert tokenizer.flops() == 2 * 6 * 2 * 8


def test_more_sequences_than_events_are_refused() -> None:
    with pytest.raises(SpecError, match="seq_len 1 leaves no event for each of the data's 2"):
        EventTokenizer(KunlunConfig(seq_len=1), LAYOUT)


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
