"""Every family: properties of forward and backward."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, RankerConfig, build_ranker, make_config

MakeRanker = Callable[..., Ranker]
Rows = tuple[Tensor, ...]
POOLS = pytest.mark.parametrize("sequence_pool", ["mean", "target"])


def test_one_logit_per_row_in_float32(make_ranker: MakeRanker, rows: Rows) -> None:
    logits = make_ranker()(*rows)

    assert logits.shape == (6,)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("pool", ["mean", "sum", "flatten"])
@pytest.mark.parametrize("share_proj", [False, True])
def test_gradients_reach_every_parameter(
    make_ranker: MakeRanker, rows: Rows, pool: str, share_proj: bool
) -> None:
    _check_gradients(make_ranker(pool=pool, share_proj=share_proj, head_hidden=(16,)), rows)


def test_gradients_reach_target_attention(make_ranker: MakeRanker, rows: Rows) -> None:
    _check_gradients(make_ranker(sequence_pool="target"), rows)


def _check_gradients(ranker: Ranker, rows: Rows) -> None:
    """Check those of every parameter, the fields and, if used, all events except padding."""
    fields, events = rows[0].requires_grad_(), rows[2].requires_grad_()

    (ranker(*rows) * torch.arange(1.0, 7.0)).sum().backward()

    for name, parameter in [*ranker.named_parameters(), ("fields", fields)]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
    if ranker.uses_events:
        assert events.grad is not None
        assert events.grad.isfinite().all()
        assert torch.equal(events.grad.abs().amax(2) > 0, rows[3])
    else:
        assert events.grad is None


@POOLS
def test_padding_has_no_influence(make_ranker: MakeRanker, rows: Rows, sequence_pool: str) -> None:
    ranker = make_ranker(sequence_pool=sequence_pool).eval()
    fields, numeric, events, mask, ages = rows
    other = (torch.where(mask.unsqueeze(2), events, 1e6), mask, torch.where(mask, ages, 1e6))

    torch.testing.assert_close(ranker(fields, numeric, *other), ranker(*rows), rtol=0, atol=0)


@POOLS
def test_a_seed_determines_everything(
    make_ranker: MakeRanker, rows: Rows, sequence_pool: str
) -> None:
    one, two, other = (make_ranker(seed, sequence_pool=sequence_pool) for seed in (1, 1, 2))

    torch.testing.assert_close(one(*rows), two(*rows), rtol=0, atol=0)
    assert not torch.equal(one(*rows), other(*rows))


@POOLS
def test_rows_do_not_affect_each_other(
    make_ranker: MakeRanker, rows: Rows, sequence_pool: str
) -> None:
    ranker = make_ranker(sequence_pool=sequence_pool).eval()
    shuffled = torch.tensor([5, 1, 0, 4, 2, 3])

    whole = ranker(*rows)

    torch.testing.assert_close(ranker(*(part[shuffled] for part in rows)), whole[shuffled])
    torch.testing.assert_close(ranker(*(part[:1] for part in rows)), whole[:1])


def test_dropout_only_in_training(make_ranker: MakeRanker, rows: Rows) -> None:
    ranker = make_ranker(dropout=0.5)

    assert not torch.equal(ranker(*rows), ranker(*rows))
    ranker.eval()
    torch.testing.assert_close(ranker(*rows), ranker(*rows), rtol=0, atol=0)


def test_bf16_autocast_stays_close_and_returns_float32(
    make_ranker: MakeRanker, rows: Rows
) -> None:
    ranker = make_ranker()
    exact = ranker(*rows)

    with torch.autocast("cpu", torch.bfloat16):
        logits = ranker(*rows)
    logits.sum().backward()

    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, exact, rtol=0.05, atol=0.05)
    grads = [p.grad for p in ranker.parameters() if p.grad is not None]
    assert all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in grads)


def test_saved_weights_give_the_same_scores(
    make_ranker: MakeRanker, rows: Rows, tmp_path: Path
) -> None:
    trained, fresh = make_ranker(seed=1).eval(), make_ranker(seed=2).eval()
    trained.set_tau(0.3)
    with torch.no_grad():
        scores, before = trained(*rows), fresh(*rows)
        save_file(trained.state_dict(), tmp_path / "weights.safetensors")
        fresh.load_state_dict(load_file(tmp_path / "weights.safetensors"))

        assert not torch.equal(before, scores)
        torch.testing.assert_close(fresh(*rows), scores, rtol=0, atol=0)


def test_new_weights_affect_the_next_forward(make_ranker: MakeRanker, rows: Rows) -> None:
    """Values cached in eval mode must not outlive a change of weights."""
    ranker = make_ranker().eval()
    for parameter in ranker.stack.parameters():
        with torch.no_grad():
            before, old = ranker(*rows), parameter.clone()
            parameter.add_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
            assert not torch.equal(ranker(*rows), before)
            parameter.copy_(old)


def test_works_on_the_meta_device(
    family: str, config: RankerConfig, layout: FeatureLayout, rows: Rows
) -> None:
    with torch.device("meta"):
        ranker = build_ranker(family, config, layout)

    logits = ranker(*(part.to("meta") for part in rows))
    logits.sum().backward()

    assert logits.shape == (6,)
    assert logits.is_meta


def test_no_decay_names_are_parameters(make_ranker: MakeRanker) -> None:
    ranker = make_ranker()
    parameters = dict(ranker.named_parameters())
    names = ranker.no_decay_names()

    assert names <= parameters.keys()
    for name, parameter in parameters.items():
        if name not in names:
            assert parameter.ndim >= 2, name
            assert "bias" not in name
            assert "norm" not in name


def test_config_survives_a_round_trip_through_json(family: str, config: RankerConfig) -> None:
    assert make_config(family, config.model_dump(mode="json")) == config
