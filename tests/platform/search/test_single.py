"""One configuration as a search of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from mixfront.exceptions import SpecError
from mixfront.search.single import choose_config, single_spec, split_overrides
from mixfront.spaces import load_space
from mixfront.spec.search_spec import SearchSpec

POINT = {"family": "rankmixer", "num_tokens": 4, "token_dim": 8, "optimizer.lr": 1e-3}


def test_overrides_are_split_between_spec_and_configuration() -> None:
    texts = ["family=unimixer", "data.path=/x", "optimizer.lr=1", "training.passes=2", "rank=4"]
    assert split_overrides(texts) == (
        ["data.path=/x", "training.passes=2"],
        ["family=unimixer", "optimizer.lr=1", "rank=4"],
    )


@pytest.mark.parametrize(
    ("overrides", "config"),
    [
        ({}, POINT),
        ({"num_tokens": 8}, POINT | {"num_tokens": 8}),
        ({"family": "dcnv2", "num_blocks": 1}, {"family": "dcnv2", "num_blocks": 1}),
    ],
)
def test_overrides_apply_to_the_enqueued_point_or_to_a_familys_defaults(
    make_spec: Any, overrides: dict[str, Any], config: dict[str, Any]
) -> None:
    assert choose_config(make_spec(search={"trials": 1, "enqueue": [POINT]}), overrides) == config


def test_a_missing_family_is_one_sentence(make_spec: Any) -> None:
    with pytest.raises(SpecError, match="add `-o family=NAME`"):
        choose_config(make_spec(), {"num_tokens": 4})


def test_a_configuration_that_cannot_be_built_is_refused(make_spec: Any) -> None:
    with pytest.raises(SpecError, match="unknown key 'num_token'"):
        choose_config(make_spec(), {"family": "rankmixer", "num_token": 4})


def test_a_single_spec_contains_only_that_configuration(make_spec: Any, tmp_path: Path) -> None:
    spec: SearchSpec = make_spec(
        constraints={"flops": "<= 1"}, optuna_storage=f"sqlite:///{tmp_path}/s/optuna.db"
    )
    with single_spec(spec, POINT | {"head_hidden": [4, 2]}, "s-train") as single:
        pass
    assert (single.name, single.search.trials, single.constraints) == ("s-train", 1, {})
    assert single.optuna_storage == f"sqlite:///{tmp_path}/s-train/optuna.db"
    space = load_space(single.space)
    assert space.extremes() == [POINT | {"head_hidden": [4, 2]}]
    assert SearchSpec.model_validate(single.dump()) == single


def test_a_search_that_could_not_be_prepared_leaves_no_folder(
    make_spec: Any, tmp_path: Path
) -> None:
    with pytest.raises(KeyError), single_spec(make_spec(), POINT, "s-train"):
        raise KeyError
    assert not (tmp_path / "s-train").exists()


def test_two_commands_that_chose_the_same_free_name_keep_their_own_spaces(
    make_spec: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "s-train"
    with single_spec(make_spec(), POINT, "s-train") as single:
        with pytest.raises(KeyError), single_spec(make_spec(), POINT | {"seed": 2}, "s-train"):
            raise KeyError
        assert load_space(single.space).extremes() == [POINT]
        (folder / "search.json").write_text(json.dumps({"spec": {"space": single.space}}))
        with pytest.raises(KeyError), single_spec(make_spec(), POINT | {"seed": 3}, "s-train"):
            raise KeyError
    assert sorted(file.name for file in folder.iterdir()) == [
        Path(single.space).name,
        "search.json",
    ]


def test_a_search_that_failed_keeps_its_space(make_spec: Any, tmp_path: Path) -> None:
    spec = make_spec()

    def fail(single: SearchSpec) -> None:
        (tmp_path / "s-train/search.json").write_text(single.space)
        raise KeyError

    with pytest.raises(KeyError), single_spec(spec, POINT, "s-train") as single:
        fail(single)
    assert Path(single.space).exists()
