"""Resuming from a damaged checkpoint: back to the one before, or to the beginning."""

import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mixfront.exceptions import DamagedError, TrialError
from mixfront.training import TrialRequest, TrialSession
from mixfront.training.artifact_folder import ArtifactFolder

MakeRequest = Callable[..., TrialRequest]


def train(request: TrialRequest, evaluations: int) -> list[Path]:
    """The checkpoints after some evaluations."""
    session = TrialSession(request)
    urls = [session.advance().checkpoint for _ in range(evaluations)]
    session.close()
    return [Path(url) for url in urls]


def remove_manifest(checkpoint: Path) -> None:
    (checkpoint / "manifest.json").unlink()


def empty_manifest(checkpoint: Path) -> None:
    (checkpoint / "manifest.json").write_bytes(b"")


def change_a_number(checkpoint: Path) -> None:
    """The manifest stays valid."""
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest["progress"]["step"] += 1
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


def remove_weights(checkpoint: Path) -> None:
    (checkpoint / "weights.safetensors").unlink()


def truncate_tables(checkpoint: Path) -> None:
    file = checkpoint / "tables-0.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def flip_a_bit(checkpoint: Path) -> None:
    file = checkpoint / "optimizer-0.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_manifest, "it has no manifest"),
        (empty_manifest, "manifest.json is invalid"),
        (change_a_number, "manifest.json has changed"),
        (remove_weights, "cannot read .*weights.safetensors"),
        (truncate_tables, "tables-0.safetensors has changed"),
        (flip_a_bit, "optimizer-0.safetensors has changed"),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    damage: Callable[[Path], None],
    reason: str,
    make_request: MakeRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, latest = train(make_request(evaluate_every=0.25), 2)
    damage(latest)
    with caplog.at_level(logging.WARNING):
        session = TrialSession(make_request(evaluate_every=0.25, resume_from=str(latest)))
    assert session.step == int(before.name.removeprefix("step-"))
    assert session.latest == str(before)
    assert session.advance().checkpoint == str(latest)  # replaced
    session.close()
    assert re.search(reason, caplog.text)
    assert f"{latest} is damaged; the trial resumes from {before}" in caplog.text


def test_without_an_intact_one_the_trial_starts_again(
    make_request: MakeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    request = make_request(evaluate_every=0.25)
    checkpoints = train(request, 2)
    for checkpoint in checkpoints:
        truncate_tables(checkpoint)
    with caplog.at_level(logging.WARNING):
        session = TrialSession(request.model_copy(update={"resume_from": str(checkpoints[-1])}))
    assert (session.step, session.latest) == (0, None)
    assert f"{checkpoints[-1]} is damaged; the trial resumes from the beginning" in caplog.text
    session.advance()
    assert not checkpoints[-1].exists()  # later than the step, so of a lost attempt
    session.close()


def test_a_checkpoint_that_was_removed_is_replaced_by_an_earlier_one(
    make_request: MakeRequest,
) -> None:
    before, latest = train(make_request(evaluate_every=0.25), 2)
    shutil.rmtree(latest)
    session = TrialSession(make_request(evaluate_every=0.25, resume_from=f"{latest}/"))
    assert session.latest == str(before)
    session.close()


def test_there_is_no_way_back_from_another_trial(make_request: MakeRequest) -> None:
    """Neither to its checkpoints, nor to the beginning."""
    before, latest = train(make_request(evaluate_every=0.25), 2)
    with pytest.raises(TrialError, match="this trial has"):
        TrialSession(make_request(evaluate_every=0.25, seed=9, resume_from=str(latest)))
    flip_a_bit(latest)
    with pytest.raises(TrialError, match="this trial has"):
        TrialSession(make_request(evaluate_every=0.25, seed=9, resume_from=str(latest)))
    with pytest.raises(DamagedError, match="has changed"):
        TrialSession(make_request(evaluate_every=0.25, name="other", resume_from=str(latest)))
    assert before.exists()


def test_a_storage_that_fails_is_not_taken_for_damage(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a short outage would cost all the training so far."""

    def fail(*_: Any) -> None:
        raise TrialError("access denied")

    _, latest = train(make_request(evaluate_every=0.25), 2)
    monkeypatch.setattr(ArtifactFolder, "verify", fail)
    with pytest.raises(TrialError, match="access denied"):
        TrialSession(make_request(evaluate_every=0.25, resume_from=str(latest)))


def test_a_manifest_of_format_1_has_no_digest(make_request: MakeRequest) -> None:
    (checkpoint,) = train(make_request(evaluate_every=0.25), 1)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    assert (manifest.pop("format"), len(manifest.pop("sha256"))) == (2, 64)
    (checkpoint / "manifest.json").write_text(json.dumps({"format": 1, **manifest}))
    session = TrialSession(make_request(evaluate_every=0.25, resume_from=str(checkpoint)))
    assert session.latest == str(checkpoint)
    session.close()
