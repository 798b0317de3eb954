"""Order of fields, what tokens read, their maps and MLPs, numeric values and nulls."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import RankerConfig
from mixfront.models.tokenizer import NumericEmbedding, Tokenizer, field_order


def test_fields_are_sorted_by_domain_in_order_of_appearance(layout: FeatureLayout) -> None:
    # concatenation: user_id 0, item_id 1, history 2, age 3, price 4
    assert field_order(layout) == [0, 3, 1, 4, 2]


def test_numeric_values_are_mapped_affinely_and_null_has_its_own_vector() -> None:
    embedding = NumericEmbedding(2, 3)
    torch.nn.init.normal_(embedding.bias)
    torch.nn.init.normal_(embedding.null_bias)

    out = embedding(torch.tensor([[2.0, torch.nan]]))

    torch.testing.assert_close(out[0, 0], 2 * embedding.weight[0] + embedding.bias[0])
    torch.testing.assert_close(out[0, 1], embedding.null_bias[1])


def test_null_does_not_affect_other_gradients() -> None:
    embedding = NumericEmbedding(2, 3)
    embedding(torch.tensor([[2.0, torch.nan]])).sum().backward()

    for parameter in embedding.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert embedding.weight.grad is not None
    assert embedding.weight.grad[1].eq(0).all()
    assert embedding.bias.grad is not None
    assert embedding.bias.grad[1].eq(0).all()


def test_every_chunk_has_its_own_projection(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    """5 fields x 8 = 40 numbers in 3 chunks of 14, the last padded by 2."""
    config = RankerConfig(num_tokens=3, token_dim=5, embedding_dim=8)
    tokenizer = Tokenizer(config, layout)
    assert tokenizer.project is not None
    torch.nn.init.normal_(tokenizer.project.get_parameter("bias"))
    fields, numeric = rows[:2]
    assert tokenizer.numeric is not None
    numbers = tokenizer.numeric(numeric)
    flat = torch.cat(
        [fields[:, 0], numbers[:, 0], fields[:, 1], numbers[:, 1], fields[:, 2]], dim=1
    )
    padded = torch.cat([flat, torch.zeros(6, 2)], dim=1)

    tokens = tokenizer(fields, numeric)

    assert tokens.shape == (6, 3, 5)
    for i in range(3):
        chunk = padded[:, 14 * i : 14 * (i + 1)]
        expected = chunk @ tokenizer.project.weight[i] + tokenizer.project.get_parameter("bias")[i]
        torch.testing.assert_close(tokens[:, i], expected)


def test_shared_projection(layout: FeatureLayout, rows: tuple[Tensor, ...]) -> None:
    config = RankerConfig(num_tokens=4, token_dim=5, embedding_dim=8, share_proj=True)
    tokenizer = Tokenizer(config, layout)
    assert tokenizer.project is not None
    assert tokenizer.project.weight.shape == (1, 10, 5)
    assert tokenizer(*rows[:4]).shape == (6, 4, 5)


def test_more_tokens_than_numbers(layout: FeatureLayout) -> None:
    config = RankerConfig(num_tokens=64, token_dim=4, embedding_dim=1)
    tokens = Tokenizer(config, layout)(torch.zeros(2, 3, 1), torch.zeros(2, 2))
    assert tokens.shape == (2, 64, 4)


ALL_FIELDS = [0, 1, 2, 3, 4]  # in the order of the concatenation: user, user, item, item, sequence


@pytest.mark.parametrize(
    ("values", "reads"),
    [
        ({"num_tokens": 5}, [[0], [1], [2], [3], [4]]),
        ({"num_tokens": 3}, [[0, 1], [1, 2, 3], [3, 4]]),
        ({"num_tokens": 6, "global_token": True}, [ALL_FIELDS, [0], [1], [2], [3], [4]]),
        ({"num_tokens": 3, "tokenizer": "semantic_groups"}, [[0, 1], [2, 3], [4]]),
        (
            {"num_tokens": 5, "tokenizer": "semantic_groups", "global_token": True},
            [ALL_FIELDS, [0, 1], [0, 1], [2, 3], [4]],
        ),
    ],
)
@pytest.mark.parametrize("hidden", [0, 64])
def test_fields_that_a_token_reads(
    layout: FeatureLayout,
    rows: tuple[Tensor, ...],
    values: dict[str, Any],
    reads: list[list[int]],
    hidden: int,
) -> None:
    torch.manual_seed(0)
    values = {"embedding_dim": 8, "token_dim": 4, "tokenizer_hidden": hidden, **values}
    tokenizer = Tokenizer(RankerConfig.model_validate(values), layout)
    tokens = tokenizer(*rows[:2])
    changed_tokens: list[list[int]] = [[] for _ in reads]
    for column, index in enumerate(field_order(layout)):
        fields, numeric = rows[0].clone(), torch.nan_to_num(rows[1])
        before = tokenizer(fields, numeric)
        target = fields[:, index] if index < 3 else numeric[:, index - 3]
        target.add_(1.0)
        difference = (tokenizer(fields, numeric) - before).abs().amax((0, 2))
        for token in difference.nonzero().flatten().tolist():
            changed_tokens[token].append(column)

    assert tokens.shape == (6, len(reads), 4)
    assert changed_tokens == reads


def test_tokens_with_a_hidden_layer_are_mlps(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    config = RankerConfig(
        num_tokens=4,
        token_dim=5,
        embedding_dim=8,
        tokenizer="semantic_groups",
        tokenizer_hidden=7,
        global_token=True,
    )
    tokenizer = Tokenizer(config, layout)
    assert tokenizer.groups is not None
    assert tokenizer.output is not None
    for parameter in tokenizer.parameters():
        torch.nn.init.normal_(parameter)
    assert tokenizer.numeric is not None
    numbers = tokenizer.numeric(rows[1])
    item = torch.cat([rows[0][:, 1], numbers[:, 1]], dim=1)  # the third token
    up = tokenizer.groups.maps[2]
    hidden = torch.relu(item @ up.get_parameter("weight")[0] + up.get_parameter("bias")[0])

    tokens = tokenizer(*rows[:2])

    expected = hidden @ tokenizer.output.weight[2] + tokenizer.output.get_parameter("bias")[2]
    torch.testing.assert_close(tokens[:, 2], expected)
    assert tokenizer.flops() == 2 * (40 + 16 + 16 + 8) * 7 + 2 * 4 * 7 * 5


def test_chunks_share_both_layers_and_the_global_token_does_not(layout: FeatureLayout) -> None:
    config = RankerConfig(
        num_tokens=4, token_dim=5, embedding_dim=8, share_proj=True, tokenizer_hidden=7
    )
    tokenizer = Tokenizer(config, layout)
    with_global = Tokenizer(config.model_copy(update={"global_token": True}), layout)
    assert tokenizer.output is not None
    assert with_global.output is not None
    assert tokenizer.output.weight.shape == (1, 7, 5)
    assert with_global.output.weight.shape == (2, 7, 5)


def test_default_weights_keep_their_names(layout: FeatureLayout) -> None:
    """Models that were exported before there were other tokenizers must load."""
    names = Tokenizer(RankerConfig(), layout).state_dict().keys()
    assert {name for name in names if not name.startswith("numeric")} == {
        "project.weight",
        "project.bias",
    }
