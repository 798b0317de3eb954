"""Every family works with every tokenizer; the test layout has three domains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mixfront.models import Ranker

MakeRanker = Callable[..., Ranker]
Rows = tuple[Tensor, ...]
ALL: dict[str, Any] = {
    "tokenizer": "semantic_groups",
    "tokenizer_hidden": 6,
    "global_token": True,
}
TOKENIZERS: list[dict[str, Any]] = [
    {"tokenizer": "semantic_groups"},
    {"tokenizer_hidden": 6},
    {"global_token": True},
    {"tokenizer_hidden": 6, "global_token": True, "share_proj": True},
    ALL,
    {**ALL, "sequence_pool": "target", "dropout": 0.1},
]


@pytest.mark.parametrize("changes", TOKENIZERS, ids=str)
def test_gradients_reach_every_parameter_and_field(
    make_ranker: MakeRanker, rows: Rows, changes: dict[str, Any]
) -> None:
    ranker = make_ranker(**changes)
    fields = rows[0].requires_grad_()

    logits = ranker(*rows)
    (logits * torch.arange(1.0, 7.0)).sum().backward()

    assert logits.shape == (6,)
    for name, parameter in [*ranker.named_parameters(), ("fields", fields)]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("changes", TOKENIZERS[:-1], ids=str)
def test_rows_do_not_affect_each_other(
    make_ranker: MakeRanker, rows: Rows, changes: dict[str, Any]
) -> None:
    ranker = make_ranker(**changes).eval()
    torch.testing.assert_close(ranker(*(part[:1] for part in rows)), ranker(*rows)[:1])


def test_bf16_autocast_stays_close(make_ranker: MakeRanker, rows: Rows) -> None:
    ranker = make_ranker(**ALL)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = ranker.tokenizer(*rows[:4])
        logits = ranker(*rows)
    logits.sum().backward()

    assert tokens.dtype == torch.float32
    torch.testing.assert_close(logits, ranker(*rows), rtol=0.05, atol=0.05)
    grads = [p.grad for p in ranker.parameters() if p.grad is not None]
    assert all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in grads)


def test_saved_weights_give_the_same_scores(
    make_ranker: MakeRanker, rows: Rows, tmp_path: Path
) -> None:
    trained, fresh = make_ranker(1, **ALL).eval(), make_ranker(2, **ALL).eval()
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    fresh.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    torch.testing.assert_close(fresh(*rows), trained(*rows), rtol=0, atol=0)
