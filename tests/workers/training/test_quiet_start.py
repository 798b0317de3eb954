"""Small logits at the start of a trial, with the constants in checkpoint and model."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mixfront.training import Predictor, TrialRequest, TrialSession
from mixfront.training.quiet_start import LOUD, QUIET, quiet_factor
from mixfront.training.ranks import Ranks

MakeRequest = Callable[..., TrialRequest]
LOUD_TABLES = {"embedding_optimizer": {"init_std": 1.0}}
ONE_RANK = Ranks(rank=0, world_size=1, device="cpu")


@dataclass(frozen=True, kw_only=True)
class TwoRanks(Ranks):
    """Ranks of which the other one has known moments."""

    other: Tensor

    def all_gather(self, tensor: Tensor) -> Tensor:
        """This rank's and the other's."""
        return torch.stack([tensor, self.other])


def logits_of(std: float, mean: float = 3.0, count: int = 1000) -> Tensor:
    values = torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return mean + std * (values - values.mean()) / values.std(correction=0)


@pytest.mark.parametrize(
    ("std", "factor"),
    [(2.0, QUIET / 2), (1.01 * LOUD, QUIET / (1.01 * LOUD)), (0.99 * LOUD, 1.0), (0.0, 1.0)],
)
def test_only_loud_logits_are_scaled(std: float, factor: float) -> None:
    assert quiet_factor(logits_of(std), torch.ones(1000), ONE_RANK) == pytest.approx(factor)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_left_to_the_first_step(wrong: float) -> None:
    logits = logits_of(2.0)
    logits[3] = wrong
    assert quiet_factor(logits, torch.ones(1000), ONE_RANK) == 1.0


def test_padding_rows_do_not_count() -> None:
    logits = torch.cat([logits_of(2.0), torch.full((500,), 1e6)])
    weight = torch.cat([torch.ones(1000), torch.zeros(500)])
    assert quiet_factor(logits, weight, ONE_RANK) == pytest.approx(QUIET / 2)


def test_all_ranks_agree() -> None:
    logits = logits_of(1.0)
    own, others = logits[:700], logits[700:]
    moments = torch.stack([torch.tensor(300.0), others.sum(), (others**2).sum()])
    ranks = TwoRanks(rank=0, world_size=2, device="cpu", other=moments.double())
    assert quiet_factor(own, torch.ones(700), ranks) == pytest.approx(QUIET)


def constants(session: TrialSession) -> tuple[float, float]:
    weights = session._trainer.engine.weights()
    return float(weights["start_scale"]), float(weights["logit_bias"])


@pytest.mark.parametrize("zero_stage", [0, 2, 3])
def test_the_first_logits_are_quiet(make_request: MakeRequest, zero_stage: int) -> None:
    session = TrialSession(make_request(zero_stage=zero_stage, **LOUD_TABLES))
    trainer, batch = session._trainer, session._next_batch()
    trainer.start_quietly(batch, -1.0)
    trainer.prepare_evaluation(0)
    logits = torch.logit(trainer.score(batch)[batch.weight > 0])
    assert float(logits.std()) == pytest.approx(QUIET, rel=0.02)
    before = trainer.engine.weights()["head.output.weight"]
    trainer.step(batch, 0)  # ZeRO trains the scaled weights, not a copy of the old ones
    moved = (trainer.engine.weights()["head.output.weight"] - before).abs()
    assert 0 < float(moved.max()) <= 1.1 * session.request.training.optimizer.lr
    session.close()


def test_what_was_done_is_in_checkpoint_and_model(make_request: MakeRequest) -> None:
    request = make_request(**LOUD_TABLES)
    session = TrialSession(request)
    state = session._data.encoder.state
    assert state.num_positive is not None
    evaluation = session.advance()
    scale, bias = constants(session)
    session.close()
    assert 0 < scale < 1
    assert bias == pytest.approx(
        math.log(state.num_positive / (state.num_rows - state.num_positive))
    )
    saved = safetensors.torch.load_file(f"{evaluation.checkpoint}/weights.safetensors")
    assert float(saved["start_scale"]) == scale

    resumed = TrialSession(make_request(**LOUD_TABLES, resume_from=evaluation.checkpoint))
    final = resumed.advance()
    assert constants(resumed) == (scale, bias)
    resumed.close()
    assert final.model_url is not None
    predictor = Predictor.load(final.model_url)
    assert float(predictor.scorer.ranker.logit_bias) == pytest.approx(bias)
    assert predictor.about["start_scale"] == scale


def test_it_can_be_switched_off(make_request: MakeRequest) -> None:
    session = TrialSession(make_request(quiet_start=False, **LOUD_TABLES))
    session.advance()
    assert constants(session) == (1.0, 0.0)
    session.close()
