"""The cost of the factored Lite compared with Lite."""

import pytest

from mixfront.models import count_cost, make_config
from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored_flops


@pytest.mark.parametrize("symmetric", [False, True])
def test_as_many_parameters_as_lite_but_fewer_flops(symmetric: bool) -> None:
    """The global pattern costs n / 2r times less; all mixing, 3.95 times (n = 1024, r = 128)."""
    shape = {"num_tokens": 32, "token_dim": 128, "block_size": 4, "rank": 128, "num_blocks": 1}
    lite = count_cost("unimixer_lite", make_config("unimixer_lite", shape))
    name = "unimixer_lite_factored"
    factored = count_cost(name, make_config(name, {**shape, "symmetric": symmetric}))
    assert lite.dense_params - factored.dense_params == (1024 * 128 if symmetric else 0)
    ffn = 6 * 32 * 128 * 171
    mixing = lite.blocks.per_sample - ffn, factored.blocks.per_sample - ffn
    assert mixing[1] == 4 * 128 * 4096 + 2 * 4096 * 4
    assert mixing[0] / mixing[1] == pytest.approx(3.95, rel=0.01)
    composing = 2 * 1024 * 2 * 4 * 4
    local = 4 * 20 * 1024 * 4 * 4
    assert factored.blocks.per_step == composing + local + sinkhorn_factored_flops(1024, 128, 20)
