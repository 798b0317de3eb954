"""Search specs: minimal, complete and wrong ones."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.lanes.duration import parse_duration
from mixfront.search.cost_check import ModelCosts
from mixfront.search.proposals import Proposals
from mixfront.spaces import load_space
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec, load_spec
from mixfront.spec.stopping import FixedRungs

MINIMAL = "name: short\ndata: {path: logs, schema: schema.yaml, validation: 'day == 2'}\n"


@pytest.fixture(autouse=True)
def _work_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> str:
    path = folder / "spec.yaml"
    path.write_text(text)
    return str(path)


def test_the_defaults_of_a_minimal_spec(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MINIMAL))
    cwd = tmp_path / "cwd"
    assert spec.data.path == str(tmp_path / "logs")  # inputs are relative to the spec
    assert spec.data.schema_ == str(tmp_path / "schema.yaml")
    assert spec.space == "all_families"
    assert spec.objectives == (
        Objective(metric="auc", direction="max"),
        Objective(metric="flops", direction="min"),
    )
    assert spec.search.trials == 20
    assert spec.storage == str(cwd / "mixfront-searches")  # outputs are relative to the cwd
    assert spec.tracking.uri == f"sqlite:///{cwd}/mixfront.db"
    assert spec.optuna_storage == f"sqlite:///{cwd}/mixfront-searches/short/optuna.db"


def test_a_complete_spec(tmp_path: Path) -> None:
    text = """
        name: kuairand-front
        data: {path: ../data/kuairand, schema: kuairand.schema.yaml, train: "date <= 20220504",
               validation: "date == 20220505", test: "date == 20220506"}
        space: spaces/mine.yaml
        objectives: [{metric: auc, direction: max}, {metric: flops, direction: min}]
        constraints: {params: "<= 20e6", flops: "<= 5e11"}
        search: {trials: 60, time: 2h, accelerator_hours: 16, sampler: tpe, seed: 7}
        stopping: {kind: fixed_rungs, rungs: [0.25, 0.5], keep: 0.4, min_trials: 6}
        training: {passes: 1, batch_size: 2048, optimizer: {lr: 1e-3}, precision: bf16}
        trial: {workers: 2, gpus_per_worker: 1, zero_stage: 2, max_failures: 2, isolation: lane}
        tracking: {uri: sqlite:///mixfront.db, experiment: ranking}
        storage: s3://ranking/mixfront
        optuna_storage: postgresql://db/optuna
        reference_point: {flops: 1e12}
    """
    spec = load_spec(write(tmp_path, text))
    assert spec.search.time == 7200
    assert spec.constraints["params"].limit == 20e6
    assert isinstance(spec.stopping, FixedRungs)
    assert spec.space == str(tmp_path / "spaces/mine.yaml")
    assert spec.storage == "s3://ranking/mixfront"
    assert SearchSpec.model_validate(spec.dump()) == spec


def test_the_environment_sets_defaults_that_the_spec_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("OPTUNA_STORAGE", "postgresql://db/optuna")
    monkeypatch.setenv("MIXFRONT_STORAGE", "s3://bucket/searches")
    default = load_spec(write(tmp_path, MINIMAL))
    assert default.tracking.uri == "http://mlflow:5000"
    assert default.optuna_storage == "postgresql://db/optuna"
    assert default.storage == "s3://bucket/searches"
    explicit = load_spec(write(tmp_path, MINIMAL + "storage: here\ntracking: {uri: 'http://x'}"))
    assert explicit.tracking.uri == "http://x"
    assert explicit.storage == str(tmp_path / "cwd/here")


def test_overrides_take_precedence_and_are_relative_to_the_working_directory(
    tmp_path: Path,
) -> None:
    spec = load_spec(
        write(tmp_path, MINIMAL),
        [
            "data.path=other",
            "search.trials=3",
            "training.optimizer.lr=1e-4",
            "constraints.params=<= 2e6",
            "search.enqueue=[{family: rankmixer, num_blocks: 2}]",
            "data.train=day <= 1",
        ],
    )
    assert spec.data.path == str(tmp_path / "cwd/other")
    assert spec.search.trials == 3
    assert spec.training.optimizer.lr == 1e-4
    assert str(spec.constraints["params"]) == "<= 2e+06"
    assert spec.search.enqueue == ({"family": "rankmixer", "num_blocks": 2},)
    assert spec.data.train == "day <= 1"


def test_urls_are_not_changed(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MINIMAL), ["data.path=s3://logs/day"])
    assert spec.data.path == "s3://logs/day"


def test_any_budget_replaces_the_default_budget(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MINIMAL + "search: {time: 90s}"))
    assert spec.search.trials is None


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("serch: {trials: 3}", "unknown key 'serch': did you mean 'search'"),
        ("search: {trails: 3}", "unknown key 'search.trails': did you mean 'trials'"),
        ("training: {optimizer: {lrr: 3}}", "unknown key 'training.optimizer.lrr'.*'lr'"),
        ("search: {trials: 0}", "'search.trials' is 0"),
        (
            "trial: {workers: 2, gpus_per_worker: 0.5}",
            "gpus_per_worker is 0.5 with 2 workers.*NCCL",
        ),
        ("search: {time: soon}", "'soon' is not a valid duration; write '2h'"),
        ("search: {sampler: grid}", "'search.sampler' is 'grid'"),
        ("objectives: [acu]", "unknown metric 'acu': did you mean 'auc'"),
        ("objectives: [test_auc]", "the test split is only reported"),
        ("objectives: [auc, auc]", "an objective appears twice"),
        ("objectives: []", "'objectives' is"),
        ("objectives: [{metric: auc, direction: up}]", "'objectives.0.direction' is 'up'"),
        ("constraints: {parms: '<= 3'}", "unknown metric 'parms': did you mean 'params'"),
        ("constraints: {params: 3}", "write '<= NUMBER'"),
        ("constraints: [3]", "'constraints' is"),
        ("stopping: {kind: asha}", "'asha'"),
        (
            "stopping: {kind: fixed_rungs, rungs: [0.5, 0.25]}",
            r"rungs \[0.5, 0.25\] must be strictly increasing",
        ),
        ("stopping: {kind: fixed_rungs, rungs: [1.5]}", "less than 1"),
        ("reference_point: {uauc: 0.4}", "names 'uauc', which is not an objective"),
        ("reference_point: {flops: 0}", "set it to a number greater than 0"),
        ("storage: s3://bucket/x", "cannot store the study in 's3://bucket/x'.*OPTUNA_STORAGE"),
        ("tracking: sqlite", "'tracking' is 'sqlite'"),
        ("tracking: !!python/object/apply:os.system [ls]", "write plain YAML"),
        ("name: twice", "the key 'name' appears twice"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, yaml: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        load_spec(write(tmp_path, MINIMAL + yaml))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_space_inside_the_spec_is_refused_in_a_short_message(tmp_path: Path) -> None:
    families = ", ".join(f"family_{index}: {{}}" for index in range(50))
    spec = write(tmp_path, MINIMAL + f"space: {{families: {{{families}}}}}\n")
    with pytest.raises(
        SpecError, match=r"a space must be a separate file; .* its path here"
    ) as caught:
        load_spec(spec)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b", "", "x" * 64, "a/b"])
def test_a_name_must_be_a_valid_folder_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="it becomes a folder's name"):
        load_spec(write(tmp_path, MINIMAL), [f"name={name!r}"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.trials", "'search.trials' is not `key=value`"),
        ("=3", "is not `key=value`"),
        ("name.first=3", "the override of 'name.first' does not fit, because 'name' is 'short'"),
        ("search.trials=[", "write plain YAML"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_spec(write(tmp_path, MINIMAL), [override])


def test_an_unknown_spec_suggests_a_packaged_one() -> None:
    with pytest.raises(UnknownNameError, match="'demoo': did you mean 'demo'"):
        load_spec("demoo")
    with pytest.raises(SpecError, match=r"cannot read nothing\.yaml"):
        load_spec("nothing.yaml")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has no keys"):
        load_spec(write(tmp_path, ""))


def test_the_packaged_demo_spec(tmp_path: Path) -> None:
    spec = load_spec("demo")
    assert spec.data.path == str(tmp_path / "cwd/demo-data")  # not inside the package
    assert spec.trial.workers == 2
    assert spec.search.trials is not None
    assert spec.search.trials >= 12


@pytest.mark.parametrize("name", ["kuairand", "ablations"])
def test_packaged_specs_enqueue_complete_configurations(name: str, tmp_path: Path) -> None:
    """The sampler would fill a missing key of a known-good configuration, perhaps badly."""
    spec = load_spec(name, [f"data.path={tmp_path}"])
    space = load_space(spec.space)
    assert spec.search.enqueue
    for config in spec.search.enqueue:
        enqueued = space.enqueue(config, name).params
        study = optuna.create_study()
        study.enqueue_trial(enqueued)
        trial = study.ask()
        space.suggest(trial)
        assert trial.params.keys() == enqueued.keys()


def test_the_packaged_kuairand_spec_needs_a_data_path(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'data\.path' is missing; set it .*-o data.path=URL"):
        load_spec("kuairand")
    spec = load_spec("kuairand", [f"data.path={tmp_path}"])
    assert Path(spec.data.schema_).name == "kuairand.schema.yaml"
    assert {"auc", "flops"} == {objective.metric for objective in spec.objectives}


def test_each_packaged_ablation_changes_one_key(tmp_path: Path) -> None:
    spec = load_spec("ablations", [f"data.path={tmp_path}"])
    space = load_space(spec.space)
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals.of_spec(spec, study, space, ModelCosts(spec.training))
    assert spec.search.trials == len(spec.search.enqueue)
    records = [proposals.ask() for _ in spec.search.enqueue]
    assert [record.error for record in records] == [None] * len(records)

    full = records[0].config
    changes: dict[tuple[Any, ...], list[int]] = {}
    for config in (record.config for record in records):
        other = tuple((k, v) for k, v in config.items() if k != "seed" and v != full[k])
        changes.setdefault(other, []).append(config["seed"])
    assert set(changes.keys()) == {
        (),
        (("tau_schedule", "off"),),
        (("symmetric", False),),
        (("shared_local", True),),
        (("tau_schedule", "two_stage"),),
        (("tau_start", 0.05),),
        (("stack", "plain"),),
    }
    assert all(seeds == [1, 2, 3] for seeds in changes.values())


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations_are_parsed_into_seconds(hours: int, minutes: int, seconds: int) -> None:
    expected: Any = 3600 * hours + 60 * minutes + seconds
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == expected
    assert parse_duration(f"{hours} h {minutes} m {seconds} s") == expected
