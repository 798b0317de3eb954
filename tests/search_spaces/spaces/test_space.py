"""Sampling from a conditional space."""

import warnings
from typing import Any

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning

from mixfront.exceptions import SpecError
from mixfront.spaces.parameters import Choice, Fixed, Float, Int
from mixfront.spaces.space import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def space() -> Space:
    return Space(
        name="test",
        families={
            "unimixer": {
                "num_tokens": Choice(values=(4, 6)),
                "block_size": Choice(values=(2, 3, 4), divides=("num_tokens",)),
            },
            "rankmixer": {
                "num_blocks": Int(low=1, high=3),
                "head_hidden": Choice(values=((), (8, 4))),
                "optimizer.lr": Fixed(value=0.5),
            },
        },
        shared={
            "embedding_dim": Fixed(value=8),
            "optimizer.lr": Float(low=1e-3, high=1e-1, log=True),
        },
    )


def sample(space: Space, num: int = 60) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [study.ask() for _ in range(num)]
    return [(space.suggest(trial), trial.params) for trial in trials]


def test_a_family_has_its_own_parameters_and_the_shared_ones(space: Space) -> None:
    samples = sample(space)
    for config, params in samples:
        assert config["embedding_dim"] == 8
        if config["family"] == "unimixer":
            assert set(config) == {
                "family", "embedding_dim", "optimizer.lr", "num_tokens", "block_size",
            }  # fmt: skip
            assert config["num_tokens"] % config["block_size"] == 0
            assert params["optimizer.lr"] == config["optimizer.lr"]
            assert params["unimixer.num_tokens"] == config["num_tokens"]
        else:
            assert config["optimizer.lr"] == 0.5  # the family's own key overrides the shared one
            assert config["head_hidden"] in ([], [8, 4])
            assert "optimizer.lr" not in params
    assert {config["family"] for config, _ in samples} == {"unimixer", "rankmixer"}


def test_a_narrowed_choice_has_its_own_optuna_name(space: Space) -> None:
    names = {name for _, params in sample(space) for name in params if "block_size" in name}
    assert names == {"unimixer.block_size[2,4]", "unimixer.block_size[2,3]"}


def test_tpe_models_the_space_by_family(space: Space) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(multivariate=True, group=True, seed=0)
    study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
    for _ in range(25):
        trial = study.ask()
        config = space.suggest(trial)
        study.tell(trial, [config["family"] == "rankmixer", config["optimizer.lr"]])
    assert all(trial.params["family"] in space.families for trial in study.trials)


def test_a_parameter_without_an_allowed_value_is_one_sentence() -> None:
    block_size = Choice(values=(2,), divides=("num_tokens",))
    families: dict[str, Any] = {
        "unimixer": {"num_tokens": Fixed(value=5), "block_size": block_size}
    }
    empty = Space(name="empty", families=families, shared={})
    with pytest.raises(SpecError, match="space 'empty' allows no value of 'block_size' with"):
        sample(empty, 1)
    assert empty.extremes() == []


def test_extremes_are_the_corners_of_every_family(space: Space) -> None:
    corners = space.extremes()
    rank = [c for c in corners if c["family"] == "rankmixer"]
    assert {c["num_blocks"] for c in rank} == {1, 3}
    assert {tuple(c["head_hidden"]) for c in rank} == {(), (8, 4)}
    uni = [c for c in corners if c["family"] == "unimixer"]
    assert max(c["num_tokens"] for c in uni) == 6
    assert max(c["optimizer.lr"] for c in uni) == 0.1
    assert len(corners) == len({repr(c) for c in corners})


def test_enqueue_uses_the_optuna_names(space: Space) -> None:
    enqueued = space.enqueue(
        {"family": "unimixer", "num_tokens": 6, "block_size": 3, "seed": 4}, "search.enqueue[0]"
    )
    assert enqueued.params == {
        "family": "unimixer", "unimixer.num_tokens": 6, "unimixer.block_size[2,3]": 3,
    }  # fmt: skip
    assert enqueued.extra == {"seed": 4}


def test_an_enqueued_configuration_is_suggested_unchanged(space: Space) -> None:
    config = {"family": "rankmixer", "num_blocks": 2, "head_hidden": [8, 4]}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(space.enqueue(config, "here").params)
    assert config.items() <= space.suggest(study.ask()).items()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_tokens": 4}, "here has no family; add `family:` with one of unimixer, rankmixer"),
        ({"family": "unimxer"}, "here: unknown family 'unimxer' in this space: did you mean"),
        ({"family": "unimixer", "num_token": 4}, "unknown key 'num_token'.*'num_tokens'"),
        ({"family": "unimixer", "optimizer.lrr": 4}, "unknown key 'optimizer.lrr'.*optimizer.lr"),
        ({"family": "unimixer", "num_tokens": 5}, "'num_tokens' is 5, but the space allows one of 4, 6"),  # noqa: E501
        ({"family": "unimixer", "num_tokens": 4, "block_size": 3}, "'block_size' is 3, .* one of 2, 4"),  # noqa: E501
        ({"family": "rankmixer", "num_blocks": 9}, "'num_blocks' is 9, but the space allows 1 to 3"),  # noqa: E501
    ],
)  # fmt: skip
def test_an_invalid_configuration_is_refused_in_one_sentence(
    space: Space, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        space.enqueue(config, "here")


def test_a_space_of_one_family_does_not_need_the_family_key(space: Space) -> None:
    one = Space(name="one", families={"rankmixer": space.families["rankmixer"]}, shared={})
    assert one.enqueue({"num_blocks": 2}, "here").params["family"] == "rankmixer"
