"""TokenMixer-Large's sparse FFN: experts one by one, gradients, FLOPs and memory."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mixfront.models.families.tokenmixer_large import sparse_ffn
from mixfront.models.families.tokenmixer_large.sparse_ffn import MIN_ROWS_SAVED, SparseSwiGluFFN
from mixfront.models.layers.per_token import SwiGluFFN

N, T, D, HIDDEN = 24, 3, 4, 16
SHAPES = [(4, 2), (4, 3), (4, 4), (8, 2), (8, 5), (2, 2)]  # E, a


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Group rows however few they are."""
    monkeypatch.setattr(sparse_ffn, "MIN_ROWS_SAVED", 0)


def make_ffn(experts: int, active: int, *, bias: bool = False) -> SparseSwiGluFFN:
    torch.manual_seed(0)
    ffn = SparseSwiGluFFN(T, D, HIDDEN, num_experts=experts, active=active, bias=bias)
    for parameter in ffn.parameters():
        nn.init.normal_(parameter, std=0.5)
    return ffn


def all_experts(ffn: SparseSwiGluFFN, x: Tensor) -> Tensor:
    """The same output from one dense pSwiGLU, with weights on its hidden units."""
    shares, experts = ffn.select(x)
    weights = torch.zeros(T, ffn.num_experts, len(x))
    weights = weights.scatter(1, experts, shares)
    weights = weights.index_fill(1, torch.tensor([ffn.num_experts - 1]), 1.0).permute(2, 0, 1)
    bias, down_bias = (
        0.0 if b is None else b.squeeze(1) for b in (ffn.gate_up.bias, ffn.down.bias)
    )
    gate, up = (torch.einsum("ntd,tdh->nth", x, ffn.gate_up.weight) + bias).chunk(2, dim=-1)
    hidden = torch.unflatten(F.silu(gate) * up, -1, (ffn.num_experts, -1))
    hidden = hidden * weights.unsqueeze(-1)
    return torch.einsum("nth,thd->ntd", hidden.flatten(-2), ffn.down.weight) + down_bias


def gradients(ffn: SparseSwiGluFFN, x: Tensor, out: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(out.square().sum(), (x, *ffn.parameters()))


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("experts", "active"), SHAPES)
def test_equals_all_experts_of_which_the_others_weigh_nothing(
    experts: int, active: int, bias: bool, training: bool
) -> None:
    """With a = E all are selected, so sparse equals dense."""
    ffn = make_ffn(experts, active, bias=bias).train(training)
    check_equals_all_experts(ffn, torch.randn(N, T, D, requires_grad=True))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 2 * MIN_ROWS_SAVED - 1, 2 * MIN_ROWS_SAVED])
def test_both_sides_of_the_switch_equal_all_experts(rows: int, bias: bool, training: bool) -> None:
    ffn = make_ffn(4, 2, bias=bias).train(training)
    x = torch.randn(rows, T, D, requires_grad=True)
    assert ffn.groups_rows(x) == (rows == 2 * MIN_ROWS_SAVED)
    check_equals_all_experts(ffn, x)


def check_equals_all_experts(ffn: SparseSwiGluFFN, x: Tensor) -> None:
    out, expected = ffn(x), all_experts(ffn, x)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    pairs = zip(gradients(ffn, x, out), gradients(ffn, x, expected), strict=True)
    for actual, wanted in pairs:
        scale = float(wanted.abs().max())
        torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-5 * max(scale, 1))


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize("rows", [1, N])
def test_experts_without_rows(rows: int) -> None:
    """All rows select expert 0; the gradients of the others are zero, not missing."""
    ffn = make_ffn(4, 2)
    with torch.no_grad():
        ffn.router.weight.copy_(torch.tensor([5.0, 0.0, 0.0]).expand(T, D, 3))
    x = torch.rand(rows, T, D, requires_grad=True)
    out, expected = ffn(x), all_experts(ffn, x)
    assert ffn.padded_share == 0
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    down = torch.unflatten(gradients(ffn, x, out)[2], 1, (4, -1))
    assert (down.abs().amax((0, 2, 3)) > 0).tolist() == [True, False, False, True]


@pytest.mark.usefixtures("grouped")
def test_bf16_autocast() -> None:
    ffn = make_ffn(4, 3)
    x = torch.randn(N, T, D, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = ffn(x)
        shares, experts = ffn.select(x)
    assert out.dtype == torch.bfloat16
    assert shares.dtype == torch.float32
    same = (experts == ffn.select(x)[1]).all(1).T  # rounded logits may select others
    torch.testing.assert_close(out.float()[same], ffn(x)[same], rtol=0.1, atol=0.1)
    assert all(gradient.isfinite().all() for gradient in gradients(ffn, x, out))


@pytest.mark.parametrize("min_rows", [0, MIN_ROWS_SAVED])
def test_matches_the_formula(min_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """y_t = alpha sum over the top a - 1 of g_i E_i(x_t), plus the shared expert's output."""
    monkeypatch.setattr(sparse_ffn, "MIN_ROWS_SAVED", min_rows)
    ffn, x, units = make_ffn(4, 3), torch.randn(5, T, D), HIDDEN // 4
    gate, up = ffn.gate_up.weight.chunk(2, dim=-1)
    expected = torch.zeros_like(x)
    for n in range(5):
        for t in range(T):
            outputs = []
            for e in range(4):
                own, row = slice(units * e, units * (e + 1)), x[n, t]
                hidden = F.silu(row @ gate[t][:, own]) * (row @ up[t][:, own])
                outputs.append(hidden @ ffn.down.weight[t][own])
            shares = (x[n, t] @ ffn.router.weight[t]).softmax(0)
            g, experts = (shares * 4 / 3).sort(descending=True)
            routed = g[0] * outputs[int(experts[0])] + g[1] * outputs[int(experts[1])]
            expected[n, t] = routed + outputs[-1]
    torch.testing.assert_close(ffn(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("min_rows", [0, MIN_ROWS_SAVED])
@pytest.mark.parametrize(("experts", "active"), [(4, 2), (4, 3), (4, 4), (8, 2), (8, 3)])
def test_the_router_has_a_gradient(
    experts: int, active: int, min_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with one routed expert, because shares are taken before the choice."""
    monkeypatch.setattr(sparse_ffn, "MIN_ROWS_SAVED", min_rows)
    ffn = SparseSwiGluFFN(T, D, 8, num_experts=experts, active=active)
    torch.autograd.backward(ffn(torch.randn(16, T, D)).square().sum())
    grad = ffn.router.weight.grad
    assert grad is not None
    assert grad.abs().amax((1, 2)).min() > 1e-4  # for every token


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize(("experts", "active"), SHAPES)
def test_executed_flops_without_padding_are_those_counted(experts: int, active: int) -> None:
    ffn, x = make_ffn(experts, active), torch.randn(N, T, D)
    with FlopCounterMode(display=False) as counter:
        ffn(x)
    products = N * T * active / (1 - ffn.padded_share)
    padding = products * ffn.padded_share * 6 * D * HIDDEN / experts
    counted = N * SparseSwiGluFFN.flops(T, D, HIDDEN, experts, active)
    assert counter.get_total_flops() == pytest.approx(counted + padding, abs=0.1)


def test_small_batches_compute_all_experts() -> None:
    ffn = make_ffn(8, 2)
    with FlopCounterMode(display=False) as counter:
        ffn(torch.randn(N, T, D))
    assert counter.get_total_flops() == N * SparseSwiGluFFN.flops(T, D, HIDDEN, 8, 8)
    assert ffn.padded_share == 0


@pytest.mark.usefixtures("grouped")
def test_a_dropped_hidden_unit_has_no_gradient() -> None:
    """Dropout of rate 1 leaves only the bias after the down matrix."""
    torch.manual_seed(0)
    ffn = SparseSwiGluFFN(T, D, HIDDEN, num_experts=4, active=2, dropout=1.0, bias=True)
    out = ffn(torch.randn(N, T, D))
    assert torch.equal(out, torch.zeros_like(out))
    torch.autograd.backward(out.sum())
    assert ffn.gate_up.weight.grad is not None
    assert not ffn.gate_up.weight.grad.any()


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize("active", [2, 3])
def test_memory_and_flops_on_the_meta_device_are_those_of_equal_groups(active: int) -> None:
    """Row n selects experts n and n + 1, modulo 3."""
    ffn, x = make_ffn(4, active), torch.zeros(N, T, D)
    with torch.no_grad():
        ffn.router.weight.zero_()
        for e in range(3):
            ffn.router.weight[:, e, [e, (e + 1) % 3]] = torch.tensor([2.0, 1.0])
            x[e::3, :, e] = 1.0
    real = _saved_bytes_and_flops(ffn, x)
    assert ffn.padded_share == 0
    assert _saved_bytes_and_flops(ffn.to("meta"), x.to("meta")) == real


def _saved_bytes_and_flops(ffn: SparseSwiGluFFN, x: Tensor) -> tuple[int, int]:
    own = {parameter.untyped_storage()._cdata for parameter in ffn.parameters()}
    saved: dict[int, Tensor] = {}

    def record(tensor: Tensor) -> Tensor:
        if (storage := tensor.untyped_storage()._cdata) not in own:
            saved[storage] = tensor
        return tensor

    with (
        saved_tensors_hooks(record, lambda tensor: tensor),
        FlopCounterMode(display=False) as counter,
    ):
        out = ffn(x.requires_grad_())
    assert out.requires_grad
    sizes = [tensor.untyped_storage().nbytes() for tensor in saved.values()]
    return sum(sizes), int(counter.get_total_flops())


def test_has_the_parameters_of_a_dense_ffn_and_a_router() -> None:
    sparse = {name: tuple(p.shape) for name, p in make_ffn(4, 2, bias=True).named_parameters()}
    dense = {name: tuple(p.shape) for name, p in SwiGluFFN(T, D, HIDDEN).named_parameters()}
    assert sparse == dense | {"router.weight": (T, D, 3)}
