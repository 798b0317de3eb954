"""Whole models by their formulas, and what a trainer asks of them."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, StackContext, build_ranker, make_config
from mixfront.models.families.rankmixer.block import RankMixerBlock, RankMixerConfig
from mixfront.models.head import Head
from mixfront.models.mixing.permutation import token_mixing
from mixfront.models.mixing.sinkhorn_pattern import SinkhornPattern

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}


def build(family: str, layout: FeatureLayout, **values: object) -> Ranker:
    torch.manual_seed(0)
    return build_ranker(family, make_config(family, {**SMALL, **values}), layout)


def test_rankmixer_block_by_the_formula() -> None:
    block = RankMixerBlock(RankMixerConfig(num_tokens=4, token_dim=8))
    x = torch.randn(3, 4, 8)
    s = F.layer_norm(token_mixing(x, 4) + x, (8,), eps=1e-6)
    expected = F.layer_norm(block.ffn(s) + s, (8,), eps=1e-6)
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected)


@pytest.mark.parametrize("family", ["unimixer", "unimixer_lite"])
def test_unimixer_block_by_the_formula(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    """One block between post-norms: Norm(x + pSwiGLU(Norm(x + UniMixing(x))))."""
    ranker = build(family, layout, stack="plain", num_blocks=1)
    block = ranker.stack.get_submodule("blocks.0")
    patterns = [module for module in block.modules() if isinstance(module, SinkhornPattern)]
    local, global_ = (pattern.matrix() for pattern in patterns)
    x = ranker.tokenizer(*rows[:4])
    blocks = x.reshape(6, 16, 4)
    mixed = torch.einsum("ij,njc->nic", global_, torch.einsum("njb,jbc->njc", blocks, local))
    z = F.rms_norm(x + mixed.reshape(x.shape), (16,), eps=1e-6)
    tokens = F.rms_norm(x + block.get_submodule("ffn")(z), (16,), eps=1e-6)
    expected = tokens.mean(1) @ ranker.get_parameter("head.output.weight")[0]

    torch.testing.assert_close(ranker(*rows), expected)


@pytest.mark.parametrize(("pool", "width"), [("mean", 16), ("sum", 16), ("flatten", 64)])
def test_head(layout: FeatureLayout, pool: str, width: int) -> None:
    head = build("rankmixer", layout, pool=pool, head_hidden=(5,)).head
    x = torch.randn(3, 4, 16)
    pooled = {"mean": x.mean(1), "sum": x.sum(1), "flatten": x.flatten(1)}[pool]
    assert isinstance(head, Head)
    (hidden,) = head.hidden
    assert pooled.shape[1] == width
    assert head.output.bias.eq(0).all()
    expected = torch.relu(hidden(pooled)) @ head.output.weight[0]
    torch.testing.assert_close(head(x), expected)


def test_temperature_reaches_every_pattern(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    ranker = build("unimixer", layout, logit_init_std=1.0)
    taus = {k: v for k, v in ranker.state_dict().items() if k.endswith("tau")}
    assert len(taus) == 4
    assert all(tau == 1 for tau in taus.values())
    before = ranker(*rows)

    ranker.set_tau(0.05)

    assert all(tau == pytest.approx(0.05) for tau in taus.values())
    assert not torch.allclose(ranker(*rows), before)


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("unimixer", {"tau_schedule": "off"}),
        ("unimixer_lite", {"tau_schedule": "off"}),
        ("unified", {"tau_schedule": "off"}),
        ("rankmixer", {}),
    ],
)
def test_no_temperature_nothing_to_set(
    layout: FeatureLayout, rows: tuple[Tensor, ...], family: str, values: dict[str, object]
) -> None:
    ranker = build(family, layout, **values)
    before = ranker(*rows)
    ranker.set_tau(0.05)
    torch.testing.assert_close(ranker(*rows), before, rtol=0, atol=0)


def test_sinkhorn_logits_and_biases_are_not_decayed(layout: FeatureLayout) -> None:
    ranker = build("unimixer_lite", layout)
    decayed = {name for name, _ in ranker.named_parameters()} - ranker.no_decay_names()
    ffns = {f"stack.blocks.{i}.ffn.{k}.weight" for i in (0, 1) for k in ("gate_up", "down")}
    assert decayed == {
        "tokenizer.numeric.weight",
        "tokenizer.project.weight",
        "head.output.weight",
        *ffns,
    }


@pytest.mark.parametrize(
    "values",
    [
        {"symmetric": False},
        {"resymmetrise": True},
        {"shared_local": True},
        {"stack": "plain"},
        {"norm": "layer"},
        {"init": "near_perm"},
        {"sinkhorn_iters": 1},
        {"ffn_hidden": 7},
        {"block_size": 32},
        {"block_size": 1},
    ],
    ids=str,
)
def test_every_switch_changes_the_model_and_trains(
    layout: FeatureLayout, rows: tuple[Tensor, ...], values: dict[str, object]
) -> None:
    ranker = build("unimixer", layout, logit_init_std=1.0, **values)
    default = build("unimixer", layout, logit_init_std=1.0)
    ranker.set_tau(0.2)
    default.set_tau(0.2)

    logits = ranker(*rows)
    torch.autograd.backward(logits.square().sum())

    assert not torch.allclose(logits, default(*rows), atol=1e-7)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in ranker.parameters())
