"""Order of fields, chunks and their projections, numeric values and nulls."""

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
    assert tokenizer.project.weight.shape == (1, 10, 5)
    assert tokenizer(*rows[:4]).shape == (6, 4, 5)


def test_more_tokens_than_numbers(layout: FeatureLayout) -> None:
    config = RankerConfig(num_tokens=64, token_dim=4, embedding_dim=1)
    tokens = Tokenizer(config, layout)(torch.zeros(2, 3, 1), torch.zeros(2, 2))
    assert tokens.shape == (2, 64, 4)
