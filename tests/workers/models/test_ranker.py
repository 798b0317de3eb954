"""The parts of a model that the trainer sets: temperature and parameters to decay."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, make_config

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}


def build(family: str, layout: FeatureLayout, **values: object) -> Ranker:
    torch.manual_seed(0)
    return build_ranker(family, make_config(family, {**SMALL, **values}), layout)


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
def test_setting_tau_without_a_temperature_has_no_effect(
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
