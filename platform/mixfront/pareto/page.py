"""The interactive front, as one self-contained HTML page."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from mixfront.pareto.formatting import format_value, label, ordered_config
from mixfront.pareto.front import Front, count_states, front_of
from mixfront.pareto.select import Best, Knee, pick_trial
from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.metrics import describe_metric

if TYPE_CHECKING:
    import plotly.graph_objects as go

HOW_TO_READ = (
    "Outlined points are on the front. Hover over a point to see its configuration; "
    "double-click to show points outside the axes."
)
CHART_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "zoomIn2d", "zoomOut2d"],
}
NO_FRONT = "<p>No trial is complete and feasible yet.</p>"


def front_page(search: SearchRecord, trials: Sequence[TrialRecord]) -> str:
    """The page of a search: its trials, front and hypervolume, and the models on the front.

    It includes plotly's script (4.5 MB), so that it works offline.
    """
    from plotly.offline import get_plotlyjs

    front = front_of(trials, search.objectives, search.reference_point)
    template = Template(files("mixfront.pareto").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"{search.name} · Pareto front"),
        plotly=get_plotlyjs(),
        name=escape(search.name),
        subtitle=escape(_subtitle(search)),
        tiles=_tiles(trials, front),
        columns="1fr 1fr" if len(front.objectives) > 2 else "3fr 2fr",
        charts=_charts(trials, front),
        table=_table(front) if front.members else NO_FRONT,
        footer=escape(_footer(search)),
    )


def _subtitle(search: SearchRecord) -> str:
    adjectives = {"max": "highest", "min": "lowest"}
    goal = ", ".join(f"{adjectives[o.direction]} {label(o)}" for o in search.objectives)
    state = f" · {search.state}" + (f": {search.ended_because}" if search.ended_because else "")
    return f"{goal}{state}"


def _footer(search: SearchRecord) -> str:
    point = ", ".join(
        f"{'log10 of ' if describe_metric(o.metric).log10 else ''}{label(o)} {value:.5g}"
        for o, value in zip(search.objectives, search.reference_point, strict=True)
    )
    return f"{search.search_id} · reference point of the hypervolume: {point}"


def _tiles(trials: Sequence[TrialRecord], front: Front) -> str:
    counts = count_states(trials)
    tiles = [
        (str(len(front.members)), "on the front"),
        (f"{front.hypervolume:.4g}", "hypervolume"),
    ]
    tiles += [(str(count), state) for state, count in counts.items() if count]
    return "".join(
        f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for value, name in tiles
    )


def _charts(trials: Sequence[TrialRecord], front: Front) -> str:
    from mixfront.pareto import charts

    cards = [
        (f"{label(y)} against {label(x)}", HOW_TO_READ, charts.front_chart(trials, front, x, y))
        for x, y in charts.objective_pairs(front.objectives)
    ] or [("Every trial", HOW_TO_READ, charts.progress_chart(trials, front))]
    volume = charts.hypervolume_chart(trials, front)
    cards.append(("Hypervolume", "After each complete trial; it never falls.", volume))
    return "".join(_card(f"chart-{i}", *card) for i, card in enumerate(cards))


def _card(div_id: str, title: str, caption: str, figure: "go.Figure") -> str:
    chart = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=div_id,
        config=CHART_CONFIG,
    )
    return f'<div class="card"><h2>{escape(title)}</h2><p>{escape(caption)}</p>{chart}</div>'


def _table(front: Front) -> str:
    from mixfront.pareto import charts

    names = [f'<th class="number">{escape(label(o))}</th>' for o in front.objectives]
    head = f"<tr><th>trial</th><th>family</th>{''.join(names)}<th></th><th>model</th></tr>"
    badges, colours = _badges(front), charts.family_colours(front.candidates)
    rows = "".join(
        _row(member, front, badges.get(member.trial_id, []), colours[member.family])
        for member in front.members
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _row(member: TrialRecord, front: Front, badges: Sequence[str], colour: str) -> str:
    values = "".join(
        f'<td class="number">{format_value(o.metric, member.values[o.metric])}</td>'
        for o in front.objectives
    )
    marks = "".join(f'<span class="badge">{escape(badge)}</span>' for badge in badges)
    config = escape(", ".join(f"{key} {value}" for key, value in ordered_config(member.config)))
    return (
        f"<tr><td>{escape(member.trial_id)}</td>"
        f'<td><span class="dot" style="background:{colour}"></span>{escape(member.family)}</td>'
        f'{values}<td>{marks}</td><td class="config">{config}</td></tr>'
    )


def _badges(front: Front) -> dict[str, list[str]]:
    badges: dict[str, list[str]] = {}
    for objective in front.objectives:
        best = pick_trial(Best(objective.metric), front).trial_id
        badges.setdefault(best, []).append(f"best {label(objective)}")
    if len(front.members) > 2 and len(front.objectives) > 1:
        badges.setdefault(pick_trial(Knee(), front).trial_id, []).append("knee")
    return badges
