"""What Ray Tune gives to its actors."""

from typing import Any

import pytest
from ray.tune.execution import class_cache

from mixfront.search.tune_loop import leave_out_keys

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class _Trainable:
    pass


def test_the_runtime_environment_of_actors_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray writes it to the logs of its nodes; Tune puts the S3 keys into it."""
    propagated = set(class_cache.ENV_VARS_TO_PROPAGATE)
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", propagated)
    for name in SECRETS:
        monkeypatch.setenv(name, "hidden")
    monkeypatch.setenv("RAY_CHDIR_TO_TRIAL_DIR", "0")
    assert set(SECRETS) < variables_of_actors()
    leave_out_keys()
    assert variables_of_actors().isdisjoint(SECRETS)
    assert "RAY_CHDIR_TO_TRIAL_DIR" in variables_of_actors()


def variables_of_actors() -> set[str]:
    cache: Any = class_cache._ActorClassCache  # untyped in Ray
    actor = cache().get(_Trainable)
    return set(actor._default_options["runtime_env"]["env_vars"])
