"""TokenMixer-Large's config: values that it rejects, and layers that get auxiliary heads."""

import pytest

from mixfront.exceptions import SpecError
from mixfront.models import make_config


def test_heads_must_divide_a_token() -> None:
    with pytest.raises(SpecError, match="num_heads 5 does not divide token_dim 64"):
        make_config("tokenmixer_large", {"num_heads": 5})
    with pytest.raises(SpecError, match=r"num_heads \(0 = num_tokens\) 12 does not"):
        make_config("tokenmixer_large", {"num_tokens": 12})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_experts": 2, "active_experts": 3}, "active_experts 3 is more than num_experts 2"),
        ({"num_experts": 3}, "num_experts 3 does not divide the hidden width 128"),
        ({"num_experts": 4, "active_experts": 1}, "'active_experts' is 1"),
    ],
)
def test_invalid_numbers_of_experts_are_rejected(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_config("tokenmixer_large", values)


@pytest.mark.parametrize(
    ("values", "layers"),
    [
        ({}, (2, 4)),
        ({"num_blocks": 4}, (2,)),  # never the last layer
        ({"num_blocks": 2}, ()),
        ({"inter_residual_every": 1, "num_blocks": 3}, (1, 2)),
        ({"inter_residual_every": 0}, ()),
        ({"aux_weight": 0.0}, ()),
    ],
)
def test_layers_with_an_inter_layer_residual_get_auxiliary_heads(
    values: dict[str, object], layers: tuple[int, ...]
) -> None:
    """l = s, 2s, ... < M."""
    config = make_config("tokenmixer_large", {"num_blocks": 5, "aux_weight": 0.1, **values})
    assert config.auxiliary_layers() == layers
