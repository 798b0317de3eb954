"""Values that Kunlun's config rejects."""

import pytest

from mixfront.exceptions import SpecError
from mixfront.models import make_config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sequence_tokens": 16}, "sequence_tokens 16 leaves no tokens for the summary"),
        ({"num_experts": 3}, "num_experts 3 does not divide num_tokens 16"),
        ({"num_experts": 16}, "num_experts 16 does not divide num_tokens 16 into 2"),
        ({"num_seeds": 3}, "num_seeds 3 is below sequence_tokens 4"),
        ({"num_heads": 3}, "num_heads 3 does not divide token_dim 64"),
        ({"position": "rope", "num_heads": 64}, "heads have width 1; set"),
        ({"position": "rote", "num_heads": 64}, "position 'rote' rotates pairs"),
        ({"num_sequences": 3}, "num_sequences 3 does not divide sequence_tokens 4"),
        ({"num_sequences": 2, "num_seeds": 5}, "num_sequences 2 does not divide num_seeds 5"),
        ({"num_sequences": 4, "seq_len": 3}, "seq_len 3 is too short for num_sequences 4"),
    ],
)
def test_invalid_configs_are_rejected(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        make_config("kunlun", values)
    assert "\n" not in str(error.value)
