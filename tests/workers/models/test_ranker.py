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


def test_only_learned_mixing_has_mixing_parameters(layout: FeatureLayout) -> None:
    assert build("rankmixer", layout).mixing_names() == frozenset()
    names = build("unimixer", layout).mixing_names()
    assert names
    assert all("mixing" in name for name in names)
    assert names < build("unimixer", layout).no_decay_names()


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


def test_a_model_without_the_constants_of_its_start_is_loaded(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    ranker = build("rankmixer", layout)
    before = ranker(*rows)
    weights = {
        name: value.clone()
        for name, value in ranker.state_dict().items()
        if not name.startswith(("start_", "logit_"))
    }
    ranker.start_quietly(0.1, -1.0)
    ranker.load_state_dict(weights)
    torch.testing.assert_close(ranker(*rows), before, rtol=0, atol=0)
    assert ranker.start_scale == 1


@pytest.mark.parametrize(
    ("family", "keys", "constant"),
    [
        ("rankmixer", {}, 1.0),
        ("unimixer", {"head_hidden": (8, 4)}, 1.0),
        ("dcnv2", {"parallel_hidden": (8,)}, 1.0),
        ("deepfm", {}, 0.1),  # three paths, one of them without weights
    ],
)
def test_a_quiet_start_scales_every_path_to_the_logit(
    layout: FeatureLayout,
    rows: tuple[Tensor, ...],
    family: str,
    keys: dict[str, object],
    constant: float,
) -> None:
    ranker = build(family, layout, **keys).eval()
    before = ranker(*rows)
    ranker.start_quietly(0.1, -1.0)
    torch.testing.assert_close(ranker(*rows), 0.1 * before - 1.0)
    assert float(ranker.start_scale) == pytest.approx(0.1)
    assert float(ranker.logit_scale) == pytest.approx(constant)


def test_auxiliary_heads_start_quietly_too(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    ranker = build("tokenmixer_large", layout, num_blocks=4, aux_weight=0.5)
    _, before, _ = ranker(*rows)
    ranker.start_quietly(0.1, -1.0)
    _, after, _ = ranker(*rows)
    torch.testing.assert_close(after, 0.1 * before - 1.0)
    assert before.numel()
