"""Auxiliary heads against their formula; they exist only in training."""

import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, count_cost, make_config, serving_weights

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "num_blocks": 5}
LAYERS = (2, 4)  # of the 5 layers, with a residual every second layer


def build(layout: FeatureLayout, *, auxiliary: bool = True, **values: object) -> Ranker:
    torch.manual_seed(0)
    config = make_config("tokenmixer_large", {**SMALL, "aux_weight": 0.1, **values})
    return build_ranker("tokenmixer_large", config, layout, auxiliary=auxiliary)


def test_other_families_have_no_auxiliary_heads() -> None:
    config = make_config("unimixer", {})
    assert (config.auxiliary_layers(), config.auxiliary_weight()) == ((), 0.0)


def test_logits_match_the_formula(layout: FeatureLayout, rows: tuple[Tensor, Tensor]) -> None:
    """w_l . mean_t X^l_t + b_l for layer l, where X^l includes the inter-layer residual."""
    ranker = build(layout)
    outputs: dict[int, Tensor] = {}
    for layer in LAYERS:
        block = ranker.stack.get_submodule(f"blocks.{layer - 1}")
        block.register_forward_hook(lambda _m, _i, out, layer=layer: outputs.update({layer: out}))
    weight, bias = (ranker.get_parameter(f"auxiliary.output.{k}") for k in ("weight", "bias"))
    torch.nn.init.uniform_(bias)

    logits, auxiliary, penalty = ranker(*rows)

    expected = [
        outputs[layer].mean(1) @ weight[i, :, 0] + bias[i, 0, 0] for i, layer in enumerate(LAYERS)
    ]
    torch.testing.assert_close(auxiliary, torch.stack(expected, dim=1))
    assert penalty.tolist() == [0.0] * 6
    torch.testing.assert_close(logits, ranker.eval()(*rows), rtol=0, atol=0)


def test_float32_under_autocast(layout: FeatureLayout, rows: tuple[Tensor, Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        outputs = build(layout)(*rows)
    assert [part.dtype for part in outputs] == [torch.float32] * 3


def test_the_rest_of_the_model_is_the_same_without_them(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    ranker, plain = build(layout), build(layout, auxiliary=False)
    assert {name for name, _ in ranker.named_parameters()} - plain.state_dict().keys() == {
        "auxiliary.output.weight",
        "auxiliary.output.bias",
    }
    served = serving_weights(ranker.state_dict())
    assert served.keys() == plain.state_dict().keys()
    assert all(torch.equal(value, served[name]) for name, value in plain.state_dict().items())
    torch.testing.assert_close(plain(*rows), ranker.eval()(*rows), rtol=0, atol=0)
    assert ranker.no_decay_names() - plain.no_decay_names() == {"auxiliary.output.bias"}


def test_auxiliary_heads_cost_nothing(layout: FeatureLayout) -> None:
    """Neither dense parameters nor FLOPs, checked against a counted forward."""
    with_heads, without = (
        count_cost("tokenmixer_large", build(layout, aux_weight=weight).config, layout=layout)
        for weight in (0.1, 0.0)
    )
    assert with_heads.metrics() == without.metrics()
