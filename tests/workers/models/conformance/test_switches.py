"""Every switch of every family: its cost is right, it trains, and it has an effect."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, count_cost, make_config

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}
OWN_KEYS = {"kunlun": {"sequence_tokens": 2}}  # the default, 4, leaves no tokens for the summary
SWITCHES: list[tuple[str, dict[str, Any]]] = [
    ("rankmixer", {"num_experts": 3}),
    ("rankmixer", {"num_experts": 2, "router_penalty": 0.5, "ffn_hidden": 7}),
    ("wukong", {"fm_rank": 2}),
    ("wukong", {"mlp_hidden": []}),
    ("kunlun", {"num_blocks": 4, "num_seeds": 3, "kron_rank": 2}),
    ("kunlun", {"sequence_tokens": 0}),
    ("kunlun", {"seq_len": 3}),
    ("kunlun", {"window": 0, "position": "rope"}),
    ("kunlun", {"position": "rope"}),
    ("kunlun", {"num_experts": 1, "mlp_hidden": []}),
    ("dcnv2", {"rank": 0}),
    ("dcnv2", {"parallel_hidden": []}),
    ("dcnv2", {"head_hidden": [8], "pool": "mean"}),
    ("autoint", {"use_scale": True}),
    ("autoint", {"num_heads": 4}),
    ("autoint", {"parallel_hidden": (8, 6)}),
    ("transformer", {"num_heads": 1, "ffn_hidden": 7}),
    ("mlp_mixer", {"token_hidden": 3, "ffn_hidden": 7}),
    ("tokenmixer_large", {"num_heads": 2}),
    ("tokenmixer_large", {"norm_pos": "pre_outer"}),
    ("tokenmixer_large", {"norm_pos": "post"}),
    ("tokenmixer_large", {"ffn_bias": True}),
    ("tokenmixer_large", {"inter_residual_every": 1}),
    ("tokenmixer_large", {"inter_residual_every": 1, "aux_weight": 0.1}),
    ("tokenmixer_large", {"num_experts": 4}),
    ("tokenmixer_large", {"num_experts": 4, "active_experts": 3}),
    ("heterogeneous_attention", {"ffn": "swiglu", "ffn_expansion": 3}),
    ("heterogeneous_attention", {"norm_pos": "post"}),
    ("heterogeneous_attention", {"wide_values": True}),
    ("heterogeneous_attention", {"norm": "rms", "norm_pos": "post", "wide_values": True}),
    ("hiformer", {"rank": 0}),
    ("hiformer", {"rank": 3, "ffn": "swiglu"}),
    ("hiformer", {"norm_pos": "post"}),
    ("hiformer", {"norm": "rms"}),
    ("hiformer", {"factor_std": 1e-3}),
    ("hhft", {"hiformer_layers": 2}),
    ("hhft", {"norm": "rms"}),
    ("hhft", {"token_groups": [0, 1, 1, 0]}),
    ("fat", {"num_bases": 0}),
    ("fat", {"num_bases": 5, "active_bases": 5, "field_embedding_dim": 3}),
    ("fat", {"field_gate": "w"}),
    ("dhen", {"ensemble": "sum"}),
    ("dhen", {"ensemble": "concat"}),
    ("dhen", {"modules": ["attention", "cross"]}),
    ("dhen", {"dlrm_hidden": 7, "ffn_hidden": 5, "num_heads": 1}),
    ("deepfm", {"head_hidden": []}),
    ("unimixer", {"init": "identity", "init_strength": 0.3}),
    ("unimixer_lite", {"transpose": True}),
    ("unimixer_lite", {"factor_init": "factors"}),
    ("unimixer_lite", {"tau_schedule": "constant"}),
    ("unimixer_lite", {"symmetric": False}),
    ("unimixer_lite", {"resymmetrise": True, "sinkhorn_iters": 1}),
    ("unimixer_lite", {"shared_local": True}),
    ("unimixer_lite", {"stack": "plain"}),
    ("unimixer_lite_factored", {"transpose": True}),
    ("unimixer_lite_factored", {"symmetric": True}),
    ("unimixer_lite_factored", {"symmetric_local": False}),
    ("unimixer_lite_factored", {"shared_local": True, "rank": 2, "num_bases": 3}),
    ("unimixer_lite_factored", {"stack": "plain", "norm": "layer", "sinkhorn_iters": 1}),
]


def build(family: str, layout: FeatureLayout, values: dict[str, Any]) -> Ranker:
    torch.manual_seed(0)
    small = {**SMALL, **OWN_KEYS.get(family, {})}
    return build_ranker(family, make_config(family, {**small, **values}), layout)


@pytest.mark.parametrize(("family", "values"), SWITCHES, ids=str)
def test_switch(
    family: str, values: dict[str, Any], layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    """`count_cost` compares the closed forms with the module.

    Auxiliary logits and penalties are part of the loss.
    """
    ranker, default = build(family, layout, values), build(family, layout, {})
    params = count_cost(family, ranker.config, layout=layout).dense_params

    outputs = ranker(*rows)
    logits, *extras = outputs if isinstance(outputs, tuple) else (outputs,)
    total = (logits * torch.arange(1.0, 7.0)).sum() + sum(extra.sum() for extra in extras)
    torch.autograd.backward(total)

    resized = params != sum(parameter.numel() for parameter in default.parameters())
    assert resized or not torch.allclose(logits, default(*rows), atol=1e-7)
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
