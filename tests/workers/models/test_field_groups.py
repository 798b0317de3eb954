"""Which columns a token reads, how tokens are allotted to groups, and the errors."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import RankerConfig, build_ranker, make_config
from mixfront.models.field_groups import (
    FieldGroup,
    GroupProjection,
    concatenate_tokens,
    field_groups,
    tokens_per_group,
)
from mixfront.models.layers.per_token import PerTokenLinear


def group(start: int, width: int, num_tokens: int = 1) -> FieldGroup:
    return FieldGroup(start=start, width=width, num_tokens=num_tokens)


def groups_of(layout: FeatureLayout, **values: object) -> list[FieldGroup]:
    config = RankerConfig.model_validate({"embedding_dim": 8, "num_tokens": 5, **values})
    return field_groups(config, layout)


def test_chunks_have_no_groups(layout: FeatureLayout) -> None:
    assert groups_of(layout) == []


def test_a_global_token_reads_all_fields(layout: FeatureLayout) -> None:
    assert groups_of(layout, global_token=True) == [group(0, 40)]


def test_semantic_groups_are_the_domains_in_order_of_appearance(layout: FeatureLayout) -> None:
    """Two fields of the user, two of the item, one sequence."""
    semantic = groups_of(layout, tokenizer="semantic_groups")
    assert semantic == [group(0, 16, 2), group(16, 16, 2), group(32, 8)]


def test_a_global_token_is_one_of_all_tokens(layout: FeatureLayout) -> None:
    groups = groups_of(layout, tokenizer="semantic_groups", global_token=True)
    assert groups == [group(0, 40), group(0, 16, 2), group(16, 16), group(32, 8)]


@pytest.mark.parametrize(
    ("sizes", "num_tokens", "expected"),
    [
        ([31, 10, 3, 2], 4, [1, 1, 1, 1]),
        ([31, 10, 3, 2], 8, [4, 2, 1, 1]),
        ([31, 10, 3, 2], 46, [31, 10, 3, 2]),
        ([1], 3, [3]),
        ([2, 2], 3, [2, 1]),
    ],
)
def test_tokens_per_group(sizes: list[int], num_tokens: int, expected: list[int]) -> None:
    assert tokens_per_group(sizes, num_tokens) == expected


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8), more=st.integers(0, 40))
def test_every_group_has_a_token_and_wider_groups_have_no_fewer(
    sizes: list[int], more: int
) -> None:
    counts = tokens_per_group(sizes, len(sizes) + more)
    assert sum(counts) == len(sizes) + more
    assert min(counts) >= 1
    by_size = [count for _, count in sorted(zip(sizes, counts, strict=True))]
    assert by_size == sorted(by_size)


def test_every_token_has_its_own_map_of_its_group() -> None:
    torch.manual_seed(0)
    projection = GroupProjection([group(0, 6), group(2, 4, num_tokens=2)], 3)
    for parameter in projection.parameters():
        torch.nn.init.normal_(parameter)
    whole, part = projection.maps
    flat = torch.randn(5, 6)

    tokens = projection(flat)

    assert tokens.shape == (5, 3, 3)
    assert projection.flops() == 2 * 3 * (6 + 2 * 4)
    pair = flat[:, 2:] @ part.get_parameter("weight")[0] + part.get_parameter("bias")[0]
    expected = [
        flat @ whole.get_parameter("weight")[0] + whole.get_parameter("bias")[0],
        *pair.chunk(2, dim=1),
    ]
    for token, value in zip(tokens.unbind(1), expected, strict=True):
        torch.testing.assert_close(token, value)


def test_initial_weights_do_not_depend_on_the_number_of_tokens() -> None:
    one, many = (GroupProjection([group(0, 40, count)], 24) for count in (1, 50))
    bound = (6 / (40 + 24)) ** 0.5
    for projection in (one, many):
        weight = projection.maps[0].get_parameter("weight")
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_concatenated_tokens_are_laid_out_as_per_token_layers_read_them() -> None:
    parts = torch.randn(6, 1, 4), PerTokenLinear(2, 3, 4)(torch.randn(6, 2, 3))
    tokens = concatenate_tokens(parts)
    torch.testing.assert_close(tokens, torch.cat(parts, dim=1))
    assert tokens.transpose(0, 1).is_contiguous()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_tokens": 2}, "num_tokens 2 .* 3 semantic groups: .*user, item, sequence; .*3, or"),
        ({"num_tokens": 3, "global_token": True}, "3 .* 3 semantic groups and a global .* 4, or"),
    ],
)
def test_fewer_tokens_than_groups_are_refused(
    layout: FeatureLayout, values: dict[str, object], message: str
) -> None:
    config = make_config("rankmixer", {"tokenizer": "semantic_groups", "token_dim": 6, **values})
    with pytest.raises(SpecError, match=message) as error:
        build_ranker("rankmixer", config, layout)
    assert "\n" not in str(error.value)
