"""Our RMSNorm against torch's, including its gradients."""

import torch
from torch.nn import functional as F

from mixfront.models.layers.norms import EPS, Norm, rms_norm


def sample(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_rms_norm_matches_torch() -> None:
    x, grad = 10 * sample(5, 3, 16), sample(3, 5, 16).transpose(0, 1)
    x[0, 0] = 0  # only eps keeps this row finite
    results = []
    for norm in (rms_norm, lambda x, weight: F.rms_norm(x, weight.shape, weight, EPS)):
        leaves = x.clone().requires_grad_(), (1 + sample(16)).requires_grad_()
        out = norm(*leaves)
        results.append((out, *torch.autograd.grad(out, leaves, grad)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_gradient_matches_finite_differences() -> None:
    leaves = sample(4, 2, 8).requires_grad_(), (1 + sample(8)).requires_grad_()
    torch.autograd.gradcheck(rms_norm, leaves)


def test_output_and_gradients_are_float32_under_autocast() -> None:
    for kind in ("rms", "layer"):
        norm = Norm(kind, 8)
        with torch.autocast("cpu", torch.bfloat16):
            out = norm(sample(4, 8).to(torch.bfloat16))
            out.sum().backward()
        assert out.dtype == torch.float32
        assert norm.weight.grad is not None
        assert norm.weight.grad.dtype == torch.float32
