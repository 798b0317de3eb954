"""Interactive charts of a search, as plotly figures."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mixfront.pareto.formatting import format_value, ordered_config
from mixfront.pareto.front import Front, hypervolume_history
from mixfront.records import TrialRecord, TrialState
from mixfront.spec.metrics import describe_metric
from mixfront.spec.objectives import Objective

# Okabe and Ito's palette, which colour-blind readers can distinguish.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
INK, FAINT, GRID = "#1d2733", "#9aa5b1", "#e8ecf0"
FRONT_LINE = "#1d2733"
FEW = 8  # with fewer trials, an axis shows all of them


def family_colours(trials: Sequence[TrialRecord]) -> dict[str, str]:
    """Colour by family, assigned in alphabetical order."""
    families = sorted({trial.family for trial in trials})
    return {family: COLOURS[i % len(COLOURS)] for i, family in enumerate(families)}


def objective_pairs(objectives: Sequence[Objective]) -> list[tuple[Objective, Objective]]:
    """(x, y) per chart: y is the first objective that is not a cost, x is each other one."""
    y = next((o for o in objectives if not describe_metric(o.metric).is_cost), objectives[0])
    return [(x, y) for x in objectives if x is not y]


def front_chart(
    trials: Sequence[TrialRecord], front: Front, x: Objective, y: Objective
) -> go.Figure:
    """Every trial with both values, by family, and the front as a line."""
    figure = go.Figure()
    plotted = [t for t in trials if x.metric in t.values and y.metric in t.values]
    if len(front.objectives) == 2:
        figure.add_trace(_step_line(front, x, y, plotted))
    figure.add_traces(_scatters(plotted, front, x.metric, y.metric))
    _label_axis(figure.layout.xaxis, x)
    _label_axis(figure.layout.yaxis, y)
    figure.update_yaxes(range=focused_range(front, y))
    return _styled(figure)


def progress_chart(trials: Sequence[TrialRecord], front: Front) -> go.Figure:
    """A single objective by trial number, and the best value so far."""
    objective = front.objectives[0]
    better = max if objective.direction == "max" else min
    numbers = [int(trial.trial_id) for trial in front.candidates]
    values = [trial.values[objective.metric] for trial in front.candidates]
    best = [better(values[: i + 1]) for i in range(len(values))]
    figure = go.Figure(_line(numbers, best, "best so far"))
    plotted = [trial for trial in trials if objective.metric in trial.values]
    figure.add_traces(_scatters(plotted, front, None, objective.metric))
    figure.update_xaxes(title="trial")
    _label_axis(figure.layout.yaxis, objective)
    figure.update_yaxes(range=focused_range(front, objective))
    return _styled(figure)


def hypervolume_chart(trials: Sequence[TrialRecord], front: Front) -> go.Figure:
    """Hypervolume after each complete trial."""
    history = hypervolume_history(trials, front.objectives, front.reference_point)
    steps = list(range(1, len(history) + 1))
    volumes = [volume for _, volume in history]
    line = _line(steps, volumes, "hypervolume", shape="hv")
    line.update(
        fill="tozeroy",
        fillcolor="rgba(0,114,178,0.10)",
        line_color=COLOURS[0],
        text=[f"trial {trial.trial_id}, {escape(trial.family)}" for trial, _ in history],
        hovertemplate="%{y:.5g} after %{x} complete<br>last: %{text}<extra></extra>",
        hoverinfo=None,
        showlegend=False,
    )
    figure = go.Figure(line)
    figure.update_xaxes(title="complete trials", dtick=1 if len(steps) <= FEW else None)
    figure.update_yaxes(title="hypervolume", rangemode="tozero")
    return _styled(figure)


def _scatters(
    trials: Sequence[TrialRecord], front: Front, x: str | None, y: str
) -> list[go.Scatter]:
    candidates = {trial.trial_id for trial in front.candidates}
    colours = family_colours(trials)
    groups = [
        (family, [t for t in trials if t.family == family and t.trial_id in candidates])
        for family in colours
    ]
    traces = [_scatter(members, front, x, y, name, colours[name]) for name, members in groups]
    others = [t for t in trials if t.trial_id not in candidates]
    return [*traces, *_others(others, x, y)]


def _scatter(
    members: Sequence[TrialRecord], front: Front, x: str | None, y: str, name: str, colour: str
) -> go.Scatter:
    is_best = [front.ranks[trial.trial_id] == 0 for trial in members]
    marker = {
        "color": colour,
        "size": [13 if best else 8 for best in is_best],
        "opacity": [1.0 if best else 0.45 for best in is_best],
        "line": {"color": FRONT_LINE, "width": [1.5 if best else 0 for best in is_best]},
    }
    return _markers(members, x, y, name, marker)


def _others(trials: Sequence[TrialRecord], x: str | None, y: str) -> list[go.Scatter]:
    """Pruned and running trials, drawn faintly because their values are not final."""
    kinds = {
        TrialState.PRUNED: ("stopped early", "x-thin"),
        TrialState.RUNNING: ("running", "star"),
    }
    traces = []
    for state, (name, symbol) in kinds.items():
        members = [trial for trial in trials if trial.state is state]
        marker = {
            "symbol": symbol,
            "size": 7,
            "color": FAINT,
            "line": {"color": FAINT, "width": 1},
        }
        if members:
            traces.append(_markers(members, x, y, name, marker))
    return traces


def _markers(
    members: Sequence[TrialRecord], x: str | None, y: str, name: str, marker: dict[str, Any]
) -> go.Scatter:
    return go.Scatter(
        x=[int(t.trial_id) if x is None else t.values[x] for t in members],
        y=[t.values[y] for t in members],
        mode="markers",
        name=escape(name),
        marker=marker,
        text=[hover(trial) for trial in members],
        hovertemplate="%{text}<extra></extra>",
    )


def hover(trial: TrialRecord) -> str:
    """The hover text of a trial."""
    values = [
        f"{escape(describe_metric(name).label)} <b>{format_value(name, value)}</b>"
        for name, value in trial.values.items()
    ]
    config = [f"{escape(key)} {escape(value)}" for key, value in ordered_config(trial.config)]
    title = f"<b>trial {escape(trial.trial_id)}</b> · {escape(trial.family)} · {trial.state}"
    return "<br>".join([title, *values, "", *config])


def _step_line(
    front: Front, x: Objective, y: Objective, plotted: Sequence[TrialRecord]
) -> go.Scatter:
    """The front as a staircase from the best x: flat until the next trial is better in y."""
    sign = 1 if x.direction == "min" else -1
    members = sorted(front.members, key=lambda trial: sign * trial.values[x.metric])
    xs = [trial.values[x.metric] for trial in members]
    ys = [trial.values[y.metric] for trial in members]
    if members:
        xs.append(max((t.values[x.metric] for t in plotted), key=lambda value: sign * value))
        ys.append(ys[-1])
    return _line(xs, ys, "front", shape="hv")


def _line(xs: Sequence[float], ys: Sequence[float], name: str, shape: str = "hv") -> go.Scatter:
    line = {"color": FRONT_LINE, "width": 1.5, "shape": shape}
    return go.Scatter(x=xs, y=ys, mode="lines", name=name, line=line, hoverinfo="skip")


def focused_range(front: Front, y: Objective) -> list[float] | None:
    """The y range without the few models that learned nothing; None = show all."""
    values = np.array([trial.values[y.metric] for trial in front.candidates])
    if len(values) < FEW or describe_metric(y.metric).log10:
        return None
    sign = 1.0 if y.direction == "max" else -1.0
    heights = sign * values
    top, quarter = float(heights.max()), float(np.quantile(heights, 0.25))
    bottom = max(float(heights.min()), quarter - 2 * (top - quarter))
    margin = 0.08 * (top - bottom) or 0.01
    low, high = bottom - margin, top + margin
    return [low, high] if sign > 0 else [-high, -low]


def axis_title(objective: Objective) -> str:
    """Label, unit and which direction is better."""
    better = "lower" if objective.direction == "min" else "higher"
    return f"{describe_metric(objective.metric).title}, {better} is better"


def _label_axis(axis: Any, objective: Objective) -> None:
    axis.title = escape(axis_title(objective))
    if describe_metric(objective.metric).log10:
        # "D2" labels 1, 2 and 5 of a decade; plotly's default labels all nine, which overlap.
        axis.update(type="log", tickformat="~s", minor={"showgrid": False}, dtick="D2")


def _styled(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        font={
            "family": "system-ui, -apple-system, Segoe UI, sans-serif",
            "color": INK,
            "size": 13,
        },
        margin={"l": 70, "r": 20, "t": 30, "b": 56},
        height=460,
        legend={
            "orientation": "h",
            "y": -0.17,
            "yanchor": "top",
            "x": 0,
            "itemsizing": "constant",
        },
        hoverlabel={"align": "left", "bgcolor": "white", "bordercolor": FAINT},
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, ticks="outside")
    figure.update_yaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, ticks="outside")
    return figure
