"""HHFT: heterogeneous attention layers, then HiFormer layers."""

import pytest

from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.models.families.heterogeneous_attention import HeterogeneousAttention
from mixfront.models.families.hhft import HHFTConfig, hhft_blocks
from mixfront.models.families.hiformer import CompositeAttention
from mixfront.models.layers.encoder_block import EncoderBlock


def test_hiformer_layers_come_last() -> None:
    config = HHFTConfig(num_blocks=4, hiformer_layers=1)
    kinds = [
        type(block.attention) for block in hhft_blocks(config) if isinstance(block, EncoderBlock)
    ]
    assert kinds == [HeterogeneousAttention] * 3 + [CompositeAttention]


def test_groups_save_parameters_but_no_flops() -> None:
    values = {"num_tokens": 4, "token_dim": 8, "num_blocks": 2}
    separate = count_cost("hhft", make_config("hhft", values))
    grouped = count_cost("hhft", make_config("hhft", {**values, "token_groups": [0, 1, 1, 0]}))
    per_token = 8 * 8**2 + 3 * 8  # 4D^2 + 2kD^2 + kD + D at k = 2
    assert separate.dense_params - grouped.dense_params == 2 * per_token
    assert separate.flops_per_sample == grouped.flops_per_sample


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hiformer_layers": 3}, "hiformer_layers 3 is more than num_blocks 2"),
        ({"token_groups": [0, 1]}, "token_groups has 2 entries, but num_tokens is 16"),
        ({"num_tokens": 3, "token_groups": [0, 2, 0]}, r"\[0, 2, 0\] skips numbers"),
    ],
)
def test_invalid_configs_are_rejected(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_config("hhft", values)
