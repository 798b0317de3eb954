"""Tables of the study, in Markdown."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tests.bench.scaling.dataset import Truth
from tests.bench.scaling.fitted import COSTS, Fitted, PowerFit, fit_family
from tests.bench.scaling.laws import SaturatingLaw, preferred
from tests.bench.scaling.measured import Measured

RESOLVED = 5.0  # paired standard errors between the smallest and the largest size
# k of ΔAUC = a X^k in UniMixer's paper (arXiv 2604.00590), in the order of COSTS.
PAPER_EXPONENTS = {
    "rankmixer": (0.116635, 0.116043),
    "unimixer": (0.125702, 0.131973),
    "unimixer_lite": (0.135327, 0.141903),
}


def report(
    truth: Truth, measured: Measured, families: Sequence[str], baselines: Sequence[str]
) -> Iterator[str]:
    """Lines of all tables."""
    yield from _about(truth, measured)
    yield from _sizes(measured, families, baselines)
    yield from _gaps(measured, families)
    for position, (unit, cost) in enumerate(COSTS.items()):
        fits = [fit_family(measured, family, cost, baselines) for family in families]
        yield from _laws(unit, fits, baselines, position)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of one table, with an empty one after it."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _about(truth: Truth, measured: Measured) -> Iterator[str]:
    parts = ", ".join(f"{o}: {auc:.4f}" for o, auc in truth.auc_up_to_order.items())
    shares = ", ".join(f"{order}: {share:.0%}" for order, share in truth.shares.items())
    bayes = f"Bayes AUC of the evaluation rows {truth.bayes_auc:.4f}"
    deviation = f"deviation of an AUC between seeds, pooled {measured.seed_deviation:.5f}"
    yield f"{bayes}, {truth.drawn_auc:.4f} with the drawn labels; {deviation}."
    yield f"AUC of the teacher's terms up to order {parts}; shares of the variance {shares}."
    yield ""


def _sizes(measured: Measured, families: Sequence[str], baselines: Sequence[str]) -> Iterator[str]:
    header = ["model", "size", "lr", "params", "GFLOPs/batch", "AUC, mean of seeds"]
    header += [f"over {name}" for name in baselines]
    rows = list[list[str]]()
    for i in (i for label in (*baselines, *families) for i in measured.of(label)):
        model = measured.models[i]
        cells = [model.label, model.size, f"{model.learning_rate:g}", f"{model.params:,.0f}"]
        cells += [f"{model.flops / 1e9:.3f}", f"{model.auc:.5f}"]
        against = (measured.difference(i, measured.of(name)[0]) for name in baselines)
        rows.append(cells + [f"{gain:+.5f} ± {error:.5f}" for gain, error in against])
    yield from markdown_table(header, rows)


def _gaps(measured: Measured, families: Sequence[str]) -> Iterator[str]:
    rows = list[list[str]]()
    for family in families:
        smallest, *_, largest = measured.of(family)
        gap, error = measured.difference(largest, smallest)
        ratio = gap / error if error else float("inf")
        verdict = "resolved" if ratio >= RESOLVED else "not resolved"
        rows.append([family, f"{gap:+.5f}", f"{error:.5f}", f"{ratio:.1f}", verdict])
    header = ["family", "largest minus smallest", "paired standard error", "ratio", "verdict"]
    yield from markdown_table(header, rows)


def _laws(
    unit: str, fits: Sequence[Fitted], baselines: Sequence[str], position: int
) -> Iterator[str]:
    yield f"X in {unit}:"
    yield ""
    header = ["family", "a", *(f"k over {name}, 95 %" for name in baselines), "k in the paper"]
    header += ["A - b X^-c", "error at the held-out largest size: power, saturating", "better"]
    yield from markdown_table(header, (_law(fit, baselines, position) for fit in fits))
    yield from _order(fits, baselines)


def _law(fit: Fitted, baselines: Sequence[str], position: int) -> list[str]:
    first = fit.power[baselines[0]]
    paper = PAPER_EXPONENTS.get(fit.label)
    cells = [fit.label, first if isinstance(first, str) else f"{first.law.a:.5f}"]
    cells += [_exponent(fit.power[name]) for name in baselines]
    cells += [f"{paper[position]:.3f}" if paper else "", _saturating(fit.saturating)]
    if isinstance(fit.errors, str):
        return [*cells, fit.errors, ""]
    errors = ", ".join(f"{error:+.5f}" for error in fit.errors.values())
    return [*cells, errors, preferred(fit.errors)]


def _exponent(power: PowerFit | str) -> str:
    if isinstance(power, str):
        return power
    low, high = power.interval
    return f"{power.law.k:.3f} [{low:.3f}, {high:.3f}]"


def _saturating(law: SaturatingLaw | str) -> str:
    if isinstance(law, str):
        return law
    return f"{law.asymptote:.4f} - {law.b:.4f} X^-{law.c:.2f}"


def _order(fits: Sequence[Fitted], baselines: Sequence[str]) -> Iterator[str]:
    """Families by k, and whether the neighbours' difference is beyond their joint uncertainty."""
    for name in baselines:
        powers = {f.label: p for f in fits if isinstance(p := f.power[name], PowerFit)}
        order = sorted(powers, key=lambda label: -powers[label].law.k)
        if order:
            steps = (_step(powers[a], powers[b]) + b for a, b in itertools.pairwise(order))
            yield f"Order of k over {name}: {order[0]}{''.join(steps)}."
    yield ""


def _step(larger: PowerFit, smaller: PowerFit) -> str:
    """'>' if 95 % of the differences are above 0, else '≈'."""
    low = np.nanquantile(larger.draws - smaller.draws, 0.025)
    return " > " if low > 0 else " ≈ "
