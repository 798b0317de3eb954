"""RankMixer's experts one by one, in training and when serving."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.models.families.rankmixer.relu_experts import ReluExpertsFFN

T, D, HIDDEN, EXPERTS = 3, 4, 5, 2


def make_ffn() -> ReluExpertsFFN:
    """An FFN whose routers open some gates and close others."""
    ffn = ReluExpertsFFN(T, D, HIDDEN, num_experts=EXPERTS)
    for parameter in ffn.parameters():
        torch.nn.init.normal_(parameter)
    return ffn


def router_logits(ffn: ReluExpertsFFN, router: str, x: Tensor) -> Tensor:
    """h(x) of one router, (N, T, E)."""
    weight, bias = (ffn.get_parameter(f"{router}.{key}") for key in ("weight", "bias"))
    return torch.einsum("ntd,tde->nte", x, weight) + bias[:, 0]


def expert(ffn: ReluExpertsFFN, t: int, e: int, x: Tensor) -> Tensor:
    """E_te(x) = W_2 GELU(W_1 x + b_1) + b_2."""
    assert ffn.up.bias is not None
    units = slice(e * HIDDEN, (e + 1) * HIDDEN)
    hidden = F.gelu(x @ ffn.up.weight[t][:, units] + ffn.up.bias[t, 0, units])
    return hidden @ ffn.down.weight[t][units] + ffn.down_bias[t, e]


@pytest.mark.parametrize("training", [True, False])
def test_matches_the_formula(training: bool) -> None:
    """v_t = sum_e g_te E_te(x_t), with g = (softmax(h_train) + ReLU(h_infer)) / 2 in training
    and g = ReLU(h_infer) when serving."""
    ffn, x = make_ffn().train(training), torch.randn(6, T, D)
    open_gates = torch.relu(router_logits(ffn, "infer_router", x))
    gates = open_gates
    if training:
        gates = (router_logits(ffn, "train_router", x).softmax(-1) + open_gates) / 2
    assert (open_gates == 0).any()
    assert (open_gates > 0).any()
    expected = torch.zeros_like(x)
    for t in range(T):
        for e in range(EXPERTS):
            expected[:, t] += gates[:, t, e, None] * expert(ffn, t, e, x[:, t])

    out, sums = ffn(x)

    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sums, open_gates.sum((1, 2)))


def test_every_gate_is_open_at_first_and_experts_start_like_one_ffn() -> None:
    ffn = ReluExpertsFFN(2, 64, 64, num_experts=8)
    for router in ("train_router", "infer_router"):
        assert ffn.get_parameter(f"{router}.bias").eq(1).all()
    bound = (6 / 128) ** 0.5
    for weight in (ffn.up.weight, ffn.down.weight):
        assert 0.95 * bound < float(weight.detach().abs().max()) <= bound
