"""The `trial:` section of a spec."""

from typing import Any

import pytest
from pydantic import ValidationError

from mixfront.lanes import LaneSettings, TrialConfig
from mixfront.lanes.config import LaneLimits


@pytest.mark.parametrize(
    ("lanes", "limits"),
    [
        (4, LaneLimits(min=1, max=4)),
        ({"min": 2}, LaneLimits(min=2, max=None)),
        ({"min": 2, "max": 8}, LaneLimits(min=2, max=8)),
    ],
)
def test_lanes_are_a_maximum_or_a_range(lanes: Any, limits: LaneLimits) -> None:
    config = TrialConfig.model_validate({"lanes": lanes})
    assert config.lanes == limits
    assert TrialConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("lanes", [0, True, {"min": 3, "max": 2}, {"most": 2}])
def test_impossible_limits_are_refused(lanes: Any) -> None:
    with pytest.raises(ValidationError):
        TrialConfig.model_validate({"lanes": lanes})


def test_a_lane_waits_for_resources_without_limit_unless_the_spec_sets_one() -> None:
    assert LaneSettings.for_trial(TrialConfig()).resource_timeout_s is None
    limited = TrialConfig.model_validate({"start_timeout": "15m"})
    assert LaneSettings.for_trial(limited).resource_timeout_s == 900
