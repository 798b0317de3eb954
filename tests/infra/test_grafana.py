"""The Grafana dashboard is what the table of metrics says."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from mixfront.search.monitoring.table import METRICS

FOLDER = Path(__file__).parents[2] / "infra" / "grafana"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_generated(generate: ModuleType) -> None:
    text = (FOLDER / "mixfront.json").read_text("utf-8")
    assert text == generate.as_text(), "run `python infra/grafana/generate.py`"


def test_every_metric_has_a_panel() -> None:
    panels = json.loads((FOLDER / "mixfront.json").read_text("utf-8"))["panels"]
    expressions = [panel["targets"][0]["expr"] for panel in panels]
    names = [name for text in expressions for name in re.findall(r"ray_mixfront_\w+", text)]
    assert names == [metric.exported_name for metric in METRICS]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


def test_counters_are_shown_as_rates(generate: ModuleType) -> None:
    functions = {
        metric.name: set(re.findall(r"(rate|increase)\(", generate.query(metric)))
        for metric in METRICS
        if metric.kind == "counter"
    }
    assert functions == {
        "mixfront_phase_seconds": {"rate"},
        "mixfront_lane_recycles": {"increase"},
    }
