"""Space files: composition, wrong input, and the packaged spaces."""

import warnings
from pathlib import Path

import optuna
import pytest

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models import FAMILIES, make_config
from mixfront.spaces import load_space, packaged_spaces, save_space, split_flat
from mixfront.spaces.parameters import Choice, Fixed

optuna.logging.set_verbosity(optuna.logging.WARNING)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_there_is_a_packaged_space_per_family() -> None:
    assert set(packaged_spaces()) >= {"all_families", "small", *FAMILIES}


@pytest.mark.parametrize("name", packaged_spaces())
def test_every_sampled_model_can_be_built(name: str) -> None:
    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    sampled = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(200):
            family, model, _ = split_flat(space.suggest(study.ask()))
            make_config(family, model)
            sampled.add(family)
    assert sampled == set(space.families)
    for corner in space.extremes():
        family, model, _ = split_flat(corner)
        make_config(family, model)


def test_tokenmixer_large_has_inter_layer_residuals_where_depth_allows() -> None:
    """And auxiliary losses at the same layers."""
    space = load_space("tokenmixer_large")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    intervals = set()
    for _ in range(40):
        _, model, _ = split_flat(space.suggest(study.ask()))
        config = make_config("tokenmixer_large", model)
        assert bool(config.auxiliary_layers()) == (config.num_blocks > 1)
        intervals.add((config.num_blocks, model["inter_residual_every"]))
    assert intervals == {(1, 0), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2)}


@pytest.mark.parametrize("name", packaged_spaces())
def test_a_saved_space_is_the_same_when_loaded(name: str, tmp_path: Path) -> None:
    space = load_space(name)
    save_space(space, f"{tmp_path}/search/space.yaml")
    assert load_space(f"{tmp_path}/search/space.yaml") == space


def test_a_composed_space_has_the_families_it_includes() -> None:
    whole = load_space("all_families")
    assert sorted(whole.families) == sorted(FAMILIES)
    assert whole.families["rankmixer"] == load_space("rankmixer").families["rankmixer"]
    assert "embedding_optimizer.l2" in whole.shared


def test_a_file_extends_and_overrides_what_it_includes(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "families: {rankmixer: {num_tokens: 4, num_blocks: 1}}")
    text = """
        include: [base.yaml]
        families: {rankmixer: {num_blocks: {kind: choice, values: [1, 2]}}}
        shared: {passes: 2}
    """
    space = load_space(write(tmp_path, "mine.yaml", text))
    assert space.name == "mine"
    assert space.families == {
        "rankmixer": {"num_tokens": Fixed(value=4), "num_blocks": Choice(values=(1, 2))}
    }
    assert space.shared == {"passes": Fixed(value=2)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("families: {rankmxer: {}}", "unknown family 'rankmxer': did you mean 'rankmixer'"),
        ("families: {rankmixer: {num_token: 4}}", "unknown key 'num_token'.*mean 'num_tokens'"),
        ("families: {rankmixer: {}}\nshared: {optimizr.lr: 1}", "unknown key 'optimizr.lr'"),
        ("shared: {passes: 2}", "has no family"),
        ("familys: {}", "unknown key 'familys': did you mean 'families'"),
        (
            "families: {rankmixer: {num_blocks: {kind: int, low: 3, high: 1}}}",
            "low 3 is greater than high 1",
        ),
        ("families: {rankmixer: {family: x}}", "'family' is not a parameter"),
        ("include: [mine.yaml]", "includes itself"),
        ("include: [nowhere]", "unknown space 'nowhere'"),
        ("families: !!python/object/apply:os.system [ls]", "write plain YAML"),
        (
            "families: {unimixer: {block_size: "
            "{kind: choice, values: [4], divides: [num_tokens]}}}",
            "'block_size' of family 'unimixer' refers to 'num_tokens', which is not defined",
        ),
        *(
            (
                f"families: {{unimixer: {{num_tokens: {factor}, block_size: "
                "{kind: choice, values: [4], divides: [num_tokens]}}}",
                "divides or is a multiple of 'num_tokens', which is not always a positive integer",
            )
            for factor in (
                *("null", "0", "true", "four", "[4, 8]", "{kind: choice, values: [4, null]}"),
                *("{kind: int, low: 0, high: 8}", "{kind: float, low: 1, high: 2}"),
            )
        ),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises((SpecError, UnknownNameError), match=message) as caught:
        load_space(write(tmp_path, "mine.yaml", text))
    assert "\n" not in str(caught.value)


def test_conflicting_includes_need_a_shared_definition(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "families: {rankmixer: {}}\nshared: {passes: 1}")
    write(tmp_path, "b.yaml", "families: {unimixer: {}}\nshared: {passes: 2}")
    with pytest.raises(SpecError, match="includes conflicting definitions of 'passes'"):
        load_space(write(tmp_path, "mine.yaml", "include: [a.yaml, b.yaml]"))
    resolved = write(tmp_path, "resolved.yaml", "include: [a.yaml, b.yaml]\nshared: {passes: 3}")
    assert load_space(resolved).shared == {"passes": Fixed(value=3)}


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*nothing\.yaml"):
        load_space(str(tmp_path / "nothing.yaml"))
