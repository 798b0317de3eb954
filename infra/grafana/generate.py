"""Writes mixfront.json, the Grafana dashboard of running searches, from the table of metrics.

Run it from the repository with `python infra/grafana/generate.py`; a test compares the file.
"""

import json
from pathlib import Path
from typing import Any

from mixfront.search.monitoring.table import METRICS, SEARCH, TRIALS, MonitoringMetric

FILE = Path(__file__).with_name("mixfront.json")
SOURCE = {"type": "prometheus", "uid": "${source}"}
UNITS = {
    "lanes": "short",
    "trials": "short",
    "samples/s": "short",
    "updates": "short",
    "seconds": "short",  # shown as a rate: trials
}
WIDTH, HEIGHT, COLUMNS = 12, 8, 2


def dashboard() -> dict[str, Any]:
    """The dashboard, with one panel per metric."""
    return {
        "uid": "mixfront-searches",
        "title": "mixfront: running searches",
        "tags": ["mixfront", "ray"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [_panel(number, metric) for number, metric in enumerate(METRICS)],
    }


def query(metric: MonitoringMetric) -> str:
    """The metric's panel in PromQL: a sum over the processes that export it."""
    series = f'{metric.exported_name}{{{SEARCH}=~"$search"}}'
    if metric.kind == "counter":
        function = "rate" if metric.unit == "seconds" else "increase"
        series = f"{function}({series}[$__rate_interval])"
    return f"sum by ({', '.join(metric.labels)}) ({series})"


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "search",
            "type": "query",
            "label": "Search",
            "datasource": SOURCE,
            "query": f"label_values({TRIALS.exported_name}, {SEARCH})",
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _panel(number: int, metric: MonitoringMetric) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    legend = f"{{{{{SEARCH}}}}}" + (f" {{{{{metric.label}}}}}" if metric.label else "")
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": metric.title,
        "description": metric.description,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": UNITS[metric.unit],
                "min": 0,
                "custom": {"stacking": {"mode": "normal" if metric.label else "none"}},
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": "A",
                "datasource": SOURCE,
                "expr": query(metric),
                "legendFormat": legend,
            }
        ],
    }


def as_text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text(), encoding="utf-8")
