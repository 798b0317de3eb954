"""The registry and the rules that make every accepted config buildable."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models import FAMILIES, count_cost, get_family, make_config


def test_names_are_keys() -> None:
    assert {"unimixer", "unimixer_lite", "rankmixer"} <= FAMILIES.keys()
    assert all(name == family.name for name, family in FAMILIES.items())


def test_unknown_family_suggests_the_nearest_name() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown family 'unimixr': did you mean 'unimixer'"
    ):
        get_family("unimixr")


@pytest.mark.parametrize(
    ("family", "values", "sentence"),
    [
        ("unimixer", {"block_sise": 4}, r"unknown key 'block_sise': did you mean 'block_size'\?"),
        ("unimixer", {"rank": 4}, r"family unimixer: unknown key 'rank'"),
        ("unimixer", {"num_blocks": 0}, r"'num_blocks' is 0: .*greater than or equal to 1"),
        ("unimixer", {"num_tokens": "many"}, r"'num_tokens' is 'many': .*integer"),
        ("unimixer", {"block_size": 48}, r"block_size 48 does not divide .* = 1024; .* 32$"),
        ("unimixer_lite", {"block_size": 3}, r"block_size 3 does not divide"),
        ("unimixer", {"tau_start": 0.1, "tau_end": 0.5}, r"tau_end 0.5 is above tau_start 0.1"),
        ("unimixer", {"tau_schedule": "cosine"}, r"'tau_schedule' is 'cosine'"),
        (
            "unimixer",
            {"init": "near_perm", "token_dim": 48, "block_size": 32},
            r"divides token_dim",
        ),
        ("rankmixer", {"num_tokens": 12}, r"num_tokens 12 does not divide token_dim 64"),
        ("rankmixer", {"head_hidden": [8, 0]}, r"'head_hidden.1' is 0"),
        ("autoint", {"num_tokens": 1, "global_token": True}, r"num_tokens 1 .* at least 2"),
        (
            "rankmixer",
            {"share_proj": True, "tokenizer": "semantic_groups"},
            r"share_proj true .*semantic_groups.* set share_proj to false",
        ),
    ],
)
def test_invalid_configs_give_a_one_sentence_error(
    family: str, values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SpecError, match=sentence) as error:
        make_config(family, values)
    assert "\n" not in str(error.value)


def test_temperature_of_a_config() -> None:
    schedule = make_config(
        "unimixer", {"tau_schedule": "two_stage", "tau_start": 0.8}
    ).temperature()
    assert schedule is not None
    assert (schedule.tau_start, schedule.tau_end, schedule.tau_schedule) == (
        0.8,
        0.05,
        "two_stage",
    )
    assert make_config("unimixer_lite", {"tau_schedule": "off"}).temperature() is None
    assert make_config("rankmixer", {}).temperature() is None


@settings(max_examples=15, deadline=None)
@given(
    family=st.sampled_from(["unimixer", "unimixer_lite"]),
    num_tokens=st.integers(1, 24),
    token_dim=st.integers(1, 48),
    block_size=st.integers(1, 64),
)
def test_accepted_configs_can_be_built(
    family: str, num_tokens: int, token_dim: int, block_size: int
) -> None:
    values = {"num_tokens": num_tokens, "token_dim": token_dim, "block_size": block_size}
    if math.prod((num_tokens, token_dim)) % block_size:
        with pytest.raises(SpecError):
            make_config(family, values)
    else:
        assert count_cost(family, make_config(family, values)).dense_params > 0
