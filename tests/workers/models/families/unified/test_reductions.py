"""The methods that UniMixer's framework unifies are exact special cases of `unified`."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixfront.models import Block, RankerConfig, StackContext, get_family, make_config
from mixfront.models.families.heterogeneous_attention import HeterogeneousAttention
from mixfront.models.families.unified.block import unified_mixing
from mixfront.models.families.unified.config import UnifiedConfig
from mixfront.models.families.wukong import FactorizationMachine
from mixfront.models.mixing.permutation import permutation_matrix, token_mixing

T, D, N = 4, 12, 5
ROUNDING = 1e-13  # of float64, because products are summed in a different order
SHAPE = {"num_tokens": T, "token_dim": D}
ATTENTION = {"global_pattern": "attention", "local_constraint": "free", "num_heads": 3}


def mixing(**values: object) -> nn.Module:
    config = make_config("unified", {**SHAPE, **values})
    assert isinstance(config, UnifiedConfig)
    return unified_mixing(config)


def block(family: str, **values: object) -> tuple[RankerConfig, Block]:
    config = make_config(family, {**SHAPE, **values, "num_blocks": 1})
    return config, get_family(family).blocks(config)[0]


def tokens() -> Tensor:
    return torch.randn(N, T, D, generator=torch.Generator().manual_seed(1))


def write(weights: dict[nn.Parameter, Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in weights.items():
            parameter.copy_(value)


def test_rankmixers_token_mixing() -> None:
    """B = D / T, local identity, global permutation."""
    x, ours = tokens(), mixing(local_pattern="identity", global_pattern="permutation")
    assert not list(ours.parameters())
    torch.testing.assert_close(ours(x), token_mixing(x, T), rtol=0, atol=0)


@pytest.mark.parametrize("heads", [2, 3, 6])
def test_token_mixing_with_any_number_of_heads(heads: int) -> None:
    ours = mixing(local_pattern="identity", global_pattern="permutation", block_size=D // heads)
    x = tokens()
    expected = token_mixing(x, heads).reshape(x.shape)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=0)


def test_token_mixing_as_a_free_dense_matrix() -> None:
    x = tokens()
    ours: Any = mixing(local_pattern="identity", global_pattern="free", block_size=D // T)
    write({ours.global_pattern.weight: permutation_matrix(T, T)})
    torch.testing.assert_close(ours(x), token_mixing(x, T), rtol=0, atol=0)


def test_rankmixers_block() -> None:
    _, theirs = block("rankmixer")
    _, ours = block(
        "unified", local_pattern="identity", global_pattern="permutation", stack="post",
        norm="layer", ffn="gelu",
    )  # fmt: skip
    names = {"mix_norm": "attention_norm"}
    state = theirs.state_dict()
    ours.load_state_dict({_renamed(name, names): value for name, value in state.items()})
    x = tokens()
    torch.testing.assert_close(ours(x, StackContext(x0=x)), theirs(x, StackContext(x0=x)))


def _renamed(name: str, names: dict[str, str]) -> str:
    module, dot, rest = name.partition(".")
    return names.get(module, module) + dot + rest


def test_torchs_multihead_attention() -> None:
    """B = D, local W_V, then heads, global softmax, W_O."""
    theirs = nn.MultiheadAttention(D, 3, bias=False, batch_first=True)
    ours: Any = mixing(**ATTENTION, local_pattern="shared", output="shared")
    attention, output = ours
    query, key, value = theirs.in_proj_weight.chunk(3)
    write(
        {
            attention.global_pattern.project.weight: torch.cat([query, key]).mT,
            attention.local_pattern.project.weight: value.mT,
            output.weight: theirs.out_proj.weight.mT,
        }
    )
    x = tokens().double()
    expected, _ = theirs.double()(x, x, x, need_weights=False)
    torch.testing.assert_close(ours.double()(x), expected, rtol=0, atol=ROUNDING)


def test_heterogeneous_attention() -> None:
    """As above, with separate weights per token."""
    theirs = HeterogeneousAttention(T, D, 3)
    ours: Any = mixing(
        **ATTENTION, local_pattern="per_block", query_key="per_token", output="per_token"
    )
    attention, output = ours
    query_key, value = theirs.project.weight[..., : 2 * D], theirs.project.weight[..., 2 * D :]
    write(
        {
            attention.global_pattern.project.weight: query_key,
            attention.local_pattern.project.weight: value,
            output.weight: theirs.output.weight,
        }
    )
    x = tokens().double()
    torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("num_tokens", "dim"), [(4, 12), (12, 4)])
def test_wukongs_factorisation_machine(num_tokens: int, dim: int) -> None:
    """(X X^T) Y = X (X^T Y), with as many columns in Y as in a token."""
    theirs = FactorizationMachine(num_tokens, dim)
    ours: Any = mixing(
        num_tokens=num_tokens, token_dim=dim, local_pattern="parameter", global_pattern="fm"
    )
    write({ours.local_pattern.weight: theirs.to_rank.weight.mT})
    x = torch.randn(N, num_tokens, dim, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=0, atol=ROUNDING)


UNIMIXERS: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("unimixer", {}, {"local_pattern": "per_block", "global_pattern": "dense"}),
    (
        "unimixer",
        {"shared_local": True, "symmetric": False, "stack": "plain"},
        {"local_pattern": "shared", "global_pattern": "dense", "symmetric": False,
         "stack": "plain"},
    ),
    (
        "unimixer",
        {"init": "near_perm", "block_size": 3, "norm": "layer"},
        {"local_pattern": "per_block", "global_pattern": "dense", "init": "near_perm",
         "norm": "layer"},
    ),
    ("unimixer_lite", {"rank": 5, "num_bases": 3}, {"rank": 5, "num_bases": 3}),
    ("unimixer_lite_factored", {"rank": 5}, {"global_pattern": "factored", "rank": 5}),
    (
        "unimixer_lite_factored",
        {"symmetric": True},
        {"global_pattern": "factored", "tied": True},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("family", "theirs", "ours"), UNIMIXERS, ids=str)
def test_the_unimixer_families(
    family: str, theirs: dict[str, object], ours: dict[str, object]
) -> None:
    """Parameters, their names and costs are the same, and outputs are bitwise equal."""
    torch.manual_seed(0)
    their_config, their_block = block(family, **theirs)
    torch.manual_seed(0)
    our_config, our_block = block("unified", **ours)
    x = tokens()
    context = StackContext(x0=x)

    torch.testing.assert_close(our_block(x, context), their_block(x, context), rtol=0, atol=0)
    for parameter in their_block.parameters():
        nn.init.normal_(parameter)
    our_block.load_state_dict(their_block.state_dict())
    torch.testing.assert_close(our_block(x, context), their_block(x, context), rtol=0, atol=0)
    assert get_family("unified").cost(our_config) == get_family(family).cost(their_config)
    assert get_family("unified").stack(our_config) == get_family(family).stack(their_config)
