"""What a promotion writes, and what a refused one leaves unchanged."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mixfront.exceptions import PromotionError, StorageError, TrackingError, UsageError
from mixfront.records.store import RecordStore
from mixfront.registry.promotion import Promotion, promote
from mixfront.registry.server import registry, silenced
from mixfront.registry.signature import as_frame

Export = Callable[[str, list[float]], None]


@pytest.fixture
def promoted(exported: RecordStore, uri: str, stand_in: Path) -> Promotion:
    """Trial 0, promoted as the first version of "ranker"."""
    return promote(exported, "0", model="ranker", uri=uri, code=stand_in)


def test_alias_is_on_the_version_that_was_checked(promoted: Promotion, uri: str) -> None:
    assert promoted.version == "1"
    assert promoted.previous is None
    assert promoted.rows_checked == 3
    assert promoted.largest_difference <= 1e-6
    with registry(uri) as client:
        assert client.get_registered_model("ranker").aliases == {"champion": 1}


def test_version_has_its_lineage(promoted: Promotion, exported: RecordStore, uri: str) -> None:
    trial = exported.trial("0")
    with registry(uri) as client:
        version = client.get_model_version("ranker", promoted.version)
        outputs = client.get_run(str(trial.run_id)).outputs
    assert outputs is not None
    assert len(outputs.model_outputs) == 1
    assert version.tags["mixfront.search_id"] == "clicks-00000000"
    assert version.tags["mixfront.trial_id"] == "0"
    assert version.tags["mixfront.family"] == "unimixer"
    assert version.tags["mixfront.run_id"] == trial.run_id
    assert version.tags["mixfront.dataset_digest"] == "d1"
    assert float(version.tags["mixfront.value.auc"]) == 0.75
    assert len(version.tags["mixfront.scores_digest"]) == 64
    assert version.run_id == trial.run_id
    assert "| history | `list<element: int64>` |" in str(version.description)


def test_the_trials_run_is_unchanged(promoted: Promotion, exported: RecordStore, uri: str) -> None:
    assert promoted
    with registry(uri) as client:
        assert client.get_run(str(exported.trial("0").run_id)).info.status == "FINISHED"


def test_model_is_in_the_experiment_of_its_search(
    promoted: Promotion, exported: RecordStore, uri: str
) -> None:
    """Not in "Default", where a user of a server with authentication may not write."""
    assert promoted
    with registry(uri) as client:
        run = client.get_run(str(exported.trial("0").run_id))
        models = client.search_logged_models([run.info.experiment_id])
        assert [model.source_run_id for model in models] == [run.info.run_id]
        assert client.search_logged_models(["0"]) == []


def test_model_scores_raw_rows(
    promoted: Promotion, uri: str, rows: pa.Table, scores: list[float]
) -> None:
    assert promoted
    with registry(uri), silenced():
        import mlflow

        model = mlflow.pyfunc.load_model("models:/ranker@champion")
        for frame in (as_frame(rows), rows.to_pandas()):  # integers with nulls: object, float
            np.testing.assert_allclose(model.predict(frame), scores, rtol=1e-6)
        no_null = rows.slice(0, 1).to_pandas()  # the same column without a null is int64
        np.testing.assert_allclose(model.predict(no_null), scores[:1], rtol=1e-6)


def test_a_wheel_is_logged_and_no_pickle(promoted: Promotion, uri: str, tmp_path: Path) -> None:
    import mlflow

    with registry(uri):
        folder = Path(
            mlflow.artifacts.download_artifacts(
                f"models:/ranker/{promoted.version}", dst_path=str(tmp_path / "downloaded")
            )
        )
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"), path
        assert not path.read_bytes().startswith(b"\x80"), (
            path
        )  # first byte of pickle protocols 2 to 5
    [wheel] = folder.glob("artifacts/mixfront-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pkl")]
    requirements = (folder / "requirements.txt").read_text().splitlines()
    assert f"artifacts/{wheel.name}" in requirements
    assert any(line.startswith("torch==") and "+" not in line for line in requirements)


def test_a_second_version_gets_the_alias(exported: RecordStore, uri: str, stand_in: Path) -> None:
    messages: list[str] = []
    promote(exported, "0", model="ranker", uri=uri, code=stand_in)
    second = promote(exported, "1", model="ranker", uri=uri, code=stand_in, say=messages.append)
    assert (second.version, second.previous) == ("2", "1")
    assert "scores 3 rows the same" in " ".join(messages)
    assert messages[-1].endswith("which version 1 had before.")


def test_different_scores_do_not_move_the_alias(
    exported: RecordStore, export: Export, uri: str, stand_in: Path, scores: list[float]
) -> None:
    promote(exported, "0", model="ranker", uri=uri, code=stand_in)
    export("1", [score + 1e-4 for score in scores])
    with pytest.raises(PromotionError, match=r"version 2 .* refused, .* differ by 0\.0001"):
        promote(exported, "1", model="ranker", uri=uri, code=stand_in)
    with registry(uri) as client:
        assert client.get_registered_model("ranker").aliases == {"champion": 1}
        assert "0.0001" in client.get_model_version("ranker", "2").tags["mixfront.refused"]


@pytest.mark.parametrize("recorded", [[0.1], [float("nan")] * 3])
def test_scores_that_cannot_be_compared_are_refused(
    exported: RecordStore, export: Export, uri: str, stand_in: Path, recorded: list[float]
) -> None:
    export("0", recorded)
    with pytest.raises(PromotionError, match="refused, and the alias was not moved"):
        promote(exported, "0", model="ranker", uri=uri, code=stand_in)
    with registry(uri) as client:
        assert client.get_registered_model("ranker").aliases == {}


def test_model_that_cannot_be_loaded_back_is_refused(
    exported: RecordStore, uri: str, stand_in: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(stand_in.read_text().replace('artifacts["model"]', 'artifacts["modle"]'))
    with pytest.raises(PromotionError, match=r"refused, .* loading and scoring it failed"):
        promote(exported, "0", model="ranker", uri=uri, code=broken)


def test_a_dominated_trial_registers_nothing(exported: RecordStore, uri: str) -> None:
    with pytest.raises(PromotionError, match="dominated by trial 0"):
        promote(exported, "2", model="ranker", uri=uri)
    with registry(uri) as client:
        assert not client.search_registered_models()


def test_a_run_on_another_server_is_refused(exported: RecordStore, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(PromotionError, match=r"MLflow has no run .* of trial 0"):
        promote(exported, "0", model="ranker", uri=other)


def test_damaged_export(exported: RecordStore, uri: str) -> None:
    (Path(str(exported.trial("0").model_url)) / "sample_scores.json").unlink()
    with pytest.raises(PromotionError, match=r"exported model of trial 0 .* cannot be read"):
        promote(exported, "0", model="ranker", uri=uri)


def test_a_model_outside_the_search_is_refused(
    exported: RecordStore, uri: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(str(exported.trial("0").model_url), elsewhere)
    changed = exported.trial("0").model_copy(update={"model_url": str(elsewhere)})
    exported.save_trial(changed)
    with pytest.raises(StorageError, match=f"model of trial 0 is at '{elsewhere}'"):
        promote(exported, "0", model="ranker", uri=uri)


def test_a_linked_file_of_a_model_is_refused(
    exported: RecordStore, uri: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("s3cr3t")
    (Path(str(exported.trial("0").model_url)) / "extra").symlink_to(tmp_path / "key")
    with pytest.raises(StorageError, match=rf"extra' \({tmp_path}/key\), which is not in"):
        promote(exported, "0", model="ranker", uri=uri)
    with registry(uri) as client:
        assert not client.search_registered_models()


def test_a_search_that_was_moved_can_be_promoted(
    exported: RecordStore, uri: str, stand_in: Path, tmp_path: Path
) -> None:
    search = exported.search()
    search.spec = {"storage": str(tmp_path / "searches")}
    exported.save_search(search)
    shutil.move(exported.url, tmp_path / "archive")
    moved = RecordStore(str(tmp_path), "archive")
    assert promote(moved, "0", model="ranker", uri=uri, code=stand_in).version == "1"


def test_unreachable_server(exported: RecordStore) -> None:
    with pytest.raises(TrackingError, match=r"MLflow at http://127\.0\.0\.1:9 cannot be used"):
        promote(exported, "0", model="ranker", uri="http://127.0.0.1:9")


@pytest.mark.parametrize(("model", "alias"), [("a/b", "champion"), ("a", "v1"), ("a", "latest")])
def test_names_that_mlflow_refuses(
    exported: RecordStore, uri: str, model: str, alias: str
) -> None:
    with pytest.raises(UsageError, match="is not a valid"):
        promote(exported, "0", model=model, alias=alias, uri=uri)
