"""A fixed random teacher: its logit is a sum of products of projections of the fields' latents.

    logit = bias + a_1 sum_fields <u, v> + sum_chains (a_2 p_1 p_2 + a_3 p_1 p_2 p_3 + ...)
    p_j   = <w_j, v_j>

Every category of a field has a latent vector v, which all terms share. A chain has four fields of
different domains and projections w of its own, so the interactions are heterogeneous. Each order
of a chain extends the one below, and projections lean towards the field's main effect u: gradient
descent learns a product of three factors from one pass only if it can build it up (the merged
staircase of Abbe et al., COLT 2022). A teacher without main effects and with independent
projections taught nothing in 400,000 rows (docs/decisions.md).

Fields are independent and projections have mean 0. Therefore terms on different sets of fields
are uncorrelated, the variance of each order is known exactly, and so is its share of the logit's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from tests.bench.scaling.bayes import expected_auc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
_CALIBRATION_ROWS = 50_000


@dataclass(frozen=True, kw_only=True)
class Field:
    """A categorical field; the k-th most frequent category has a share of 1 / k^`skew`."""

    name: str
    domain: str
    cardinality: int
    skew: float = 0.7

    @cached_property
    def frequencies(self) -> Floats:
        """Probability of every category: (cardinality,)."""
        weights = 1.0 / np.arange(1, self.cardinality + 1) ** self.skew
        normalised: Floats = weights / weights.sum()
        return normalised


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """What the teacher's terms are like, and how hard its labels are to predict."""

    shares: Mapping[int, float]  # order, from 1 -> share of the logit's variance
    num_chains: int  # terms of every order above 1
    latent_dim: int = 4
    alignment: float = 0.7  # cosine of a projection and the field's main effect
    bayes_auc: float = 0.80
    click_rate: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Term:
    """A product of projections; `values[j]` is that of `fields[j]`, by category."""

    fields: tuple[int, ...]
    values: tuple[Floats, ...]

    @property
    def by_field(self) -> dict[int, Floats]:
        """Field -> its projection."""
        return dict(zip(self.fields, self.values, strict=True))

    def prefix(self, order: int) -> "Term":
        """The product of the first factors."""
        return Term(fields=self.fields[:order], values=self.values[:order])


class Teacher:
    """The same for the same fields, config and seed.

    Attributes:
        scale: Standard deviation of the logit, chosen so that the expected AUC of the true
            probabilities is `config.bayes_auc`.
        bias: Constant of the logit, chosen so that the mean probability is `config.click_rate`.
    """

    def __init__(self, fields: Sequence[Field], config: TeacherConfig, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.fields = tuple(fields)
        self.config = config
        self._latents = [_latents(rng, field, config.latent_dim) for field in fields]
        self._mains = [_unit(rng.normal(size=config.latent_dim)) for _ in fields]
        mains = [
            Term(fields=(i,), values=(v @ u,))
            for i, (v, u) in enumerate(zip(self._latents, self._mains, strict=True))
        ]
        chains = [self._chain(rng) for _ in range(config.num_chains)]
        self.terms = {1: mains} | {
            order: [chain.prefix(order) for chain in chains]
            for order in config.shares
            if order > 1
        }
        self._factors = {
            order: np.sqrt(config.shares[order] / self._variance(terms))
            for order, terms in self.terms.items()
        }
        self.scale, self.bias = 1.0, 0.0
        sample = self.by_order(
            self.categories(np.random.default_rng([seed, 1]), _CALIBRATION_ROWS)
        )
        self.scale, self.bias = _calibrated(total(sample), config)

    def categories(self, rng: np.random.Generator, num_rows: int) -> Ints:
        """Random rows: (num_rows, number of fields)."""
        columns = [rng.choice(f.cardinality, num_rows, p=f.frequencies) for f in self.fields]
        return np.stack(columns, axis=1).astype(np.int32)

    def logits(self, categories: Ints) -> Floats:
        """True logits (N,) of rows (N, number of fields)."""
        return self.bias + total(self.by_order(categories))

    def by_order(self, categories: Ints) -> dict[int, Floats]:
        """What the terms of every order add to the logits: order -> (N,)."""
        return {
            order: self.scale * self._factors[order] * _sum_of_products(terms, categories)
            for order, terms in self.terms.items()
        }

    def _chain(self, rng: np.random.Generator) -> Term:
        """The term of the highest order; those of lower orders are its first factors."""
        domains = sorted({field.domain for field in self.fields})
        chosen = rng.choice(domains, max(self.config.shares), replace=False)
        members = [[i for i, f in enumerate(self.fields) if f.domain == d] for d in chosen]
        fields = tuple(int(rng.choice(indices)) for indices in members)
        return Term(fields=fields, values=tuple(self._projected(rng, i) for i in fields))

    def _projected(self, rng: np.random.Generator, field: int) -> Floats:
        """A projection of a field's latents that leans towards its main effect."""
        cosine, main = self.config.alignment, self._mains[field]
        random = rng.normal(size=self.config.latent_dim)
        across = _unit(random - main * (random @ main))
        values: Floats = self._latents[field] @ (cosine * main + np.sqrt(1 - cosine**2) * across)
        return values

    def _variance(self, terms: Sequence[Term]) -> float:
        """Variance of the sum of terms of one order over the fields' distribution."""
        return sum(self._covariance(one, other) for one in terms for other in terms)

    def _covariance(self, one: Term, other: Term) -> float:
        first, second = one.by_field, other.by_field
        if first.keys() != second.keys():
            return 0.0
        return float(np.prod([self.fields[i].frequencies @ (first[i] * second[i]) for i in first]))


def total(by_order: Mapping[int, Floats]) -> Floats:
    """The sum over orders: (N,)."""
    logits: Floats = np.sum(list(by_order.values()), axis=0)
    return logits


def _unit(vector: Floats) -> Floats:
    normalised: Floats = vector / np.linalg.norm(vector)
    return normalised


def _latents(rng: np.random.Generator, field: Field, dim: int) -> Floats:
    """A vector per category, with mean 0 over the field's distribution: (cardinality, dim)."""
    vectors = rng.normal(size=(field.cardinality, dim))
    vectors *= np.sqrt(dim) / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred: Floats = vectors - field.frequencies @ vectors
    return centred


def _sum_of_products(terms: Sequence[Term], categories: Ints) -> Floats:
    total = np.zeros(len(categories))
    for term in terms:
        product = np.ones(len(categories))
        for field, values in zip(term.fields, term.values, strict=True):
            product *= values[categories[:, field]]
        total += product
    return total


def _calibrated(logits: Floats, config: TeacherConfig) -> tuple[float, float]:
    """Scale and bias that give the config's Bayes AUC and click rate, by bisection."""
    low, high = 0.0, 20.0
    for _ in range(18):
        scale = (low + high) / 2
        bias = _bias(scale * logits, config.click_rate)
        too_easy = expected_auc(scale * logits + bias) > config.bayes_auc
        low, high = (low, scale) if too_easy else (scale, high)
    return scale, bias


def _bias(logits: Floats, click_rate: float) -> float:
    low, high = -30.0, 30.0
    for _ in range(25):
        middle = (low + high) / 2
        too_low = np.mean(1 / (1 + np.exp(-(logits + middle)))) < click_rate
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2
