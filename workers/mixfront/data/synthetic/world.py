"""A simulated app with known click probabilities, from which synthetic logs are sampled."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

NUM_DAYS = 7
DEVICES = ("android", "ios", "web", "tv")
PAGES = ("feed", "search", "related", "profile", "topic")
NUM_AGES, NUM_TIERS, NUM_GENRES, NUM_DAYPARTS = 6, 5, 8, 2
MAX_HISTORY = 20
_CLICK_RATE = 0.3


@dataclass(frozen=True, kw_only=True)
class Impressions:
    """N logged impressions, and their true logits."""

    user: Ints
    item: Ints
    device: Ints
    page: Ints
    hour: Ints
    day: Ints
    logit: Floats  # of the true click probability
    click: Ints  # sampled from it


class World:
    """Users, items, and the effects that make users click on items.

    The logit is a sum of effects. First order: a rate per user and per item, device, page, hour.
    Second order: age x genre, device x page, price x city, the share of a user's history that has
    the item's genre. Third order: device x genre x half of the day, page x city x age, as products
    of three signs. A user has 200 rows on average and an item 400, so that their rates can be
    learned and models differ by the interactions that they learn.
    """

    def __init__(self, num_rows: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        rng = self._rng
        self.num_users = int(np.clip(num_rows // 200, 50, 200_000))
        self.num_items = int(np.clip(num_rows // 400, 40, 100_000))
        self.age = rng.integers(NUM_AGES, size=self.num_users)
        self.tier = rng.integers(NUM_TIERS, size=self.num_users)
        self.taste = rng.integers(NUM_GENRES, size=self.num_users)
        self.follows = np.floor(rng.pareto(1.2, self.num_users) * 20).astype(np.int64)
        self.genre = rng.integers(NUM_GENRES, size=self.num_items)
        self.price = np.exp(rng.normal(2.0, 1.0, self.num_items))
        self.price_known = rng.random(self.num_items) > 0.1
        self.author = np.minimum(rng.zipf(1.5, self.num_items), self.num_items)
        self.user_rate = rng.normal(0.0, 0.4, self.num_users)
        self.item_rate = rng.normal(0.0, 0.4, self.num_items)
        self.item_share = _heavy_tail(self.num_items, 1.05)
        self.history = self._histories()  # (num_users, MAX_HISTORY), -1 after the last
        self._effects = _Effects(rng)
        # A separate generator, so that no other random number depends on the ages.
        self.history_ages = _ages(np.random.default_rng([seed, NUM_DAYS]), self.history.shape)

    def log(self, num_rows: int) -> Impressions:
        """Sample this many impressions, in no particular order."""
        rng = self._rng
        user = rng.choice(self.num_users, num_rows, p=_heavy_tail(self.num_users, 0.8))
        item = rng.choice(self.num_items, num_rows, p=self.item_share)
        device = rng.choice(len(DEVICES), num_rows, p=(0.4, 0.3, 0.2, 0.1))
        page = rng.choice(len(PAGES), num_rows, p=(0.35, 0.25, 0.2, 0.1, 0.1))
        hour = rng.integers(24, size=num_rows)
        logit = self._logit(user, item, device, page, hour)
        logit += _intercept(logit)
        click = (rng.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
        return Impressions(
            user=user,
            item=item,
            device=device,
            page=page,
            hour=hour,
            day=rng.integers(NUM_DAYS, size=num_rows),
            logit=logit,
            click=click,
        )

    def _histories(self) -> Ints:
        """Past items per user; three in five are chosen from the user's favorite genre."""
        rng, shape = self._rng, (self.num_users, MAX_HISTORY)
        history = rng.choice(self.num_items, shape, p=self.item_share)
        for genre in range(NUM_GENRES):
            liked = np.flatnonzero(self.genre == genre)
            fans = np.flatnonzero(self.taste == genre)
            if len(liked) and len(fans):
                swap = rng.random((len(fans), MAX_HISTORY)) < 0.6
                favorites = rng.choice(liked, (len(fans), MAX_HISTORY))
                history[fans] = np.where(swap, favorites, history[fans])
        lengths = np.minimum(rng.poisson(10, self.num_users), MAX_HISTORY)
        lengths[rng.random(self.num_users) < 0.1] = 0  # new users
        return np.where(np.arange(MAX_HISTORY) < lengths[:, None], history, -1)

    def _logit(self, user: Ints, item: Ints, device: Ints, page: Ints, hour: Ints) -> Floats:
        effects, genre = self._effects, self.genre[item]
        age, tier, daypart = self.age[user], self.tier[user], hour * NUM_DAYPARTS // 24
        cheap = -(np.log(self.price[item]) - 2.0) * (tier - (NUM_TIERS - 1) / 2) / 2
        one = self.user_rate[user] + self.item_rate[item] + effects.device[device]
        one = one + effects.page[page] + 0.3 * np.sin(hour * np.pi / 12)
        two = effects.age_genre[age, genre] + effects.device_page[device, page]
        two = two + 0.6 * cheap + 1.5 * (self._genre_share(user, genre) - 1 / NUM_GENRES)
        three = 0.7 * effects.signs[0][device] * effects.signs[1][genre]
        three = three * effects.signs[2][daypart]
        other = 0.7 * effects.signs[3][page] * effects.signs[4][tier] * effects.signs[5][age]
        logit: Floats = one + two + three + other
        return logit

    def _genre_share(self, user: Ints, genre: Ints) -> Floats:
        """The share of each user's history with the item's genre; 1/8 if the history is empty."""
        present = self.history >= 0
        of_genre = np.where(present, self.genre[self.history], -1)
        counts = np.stack([(of_genre == g).sum(1) for g in range(NUM_GENRES)], axis=1)
        lengths = np.maximum(present.sum(1, keepdims=True), 1)
        share = np.where(present.any(1, keepdims=True), counts / lengths, 1 / NUM_GENRES)
        chosen: Floats = share[user, genre]
        return chosen


def _ages(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Ages in days before the first day, oldest first, a week on average."""
    ages: Floats = -np.sort(-rng.exponential(7.0, shape), axis=1)
    return ages


class _Effects:
    """Sizes of the planted effects."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.device = _of_size(rng, 0.3, len(DEVICES))
        self.page = _of_size(rng, 0.3, len(PAGES))
        self.age_genre = _of_size(rng, 1.1, NUM_AGES, NUM_GENRES)
        self.device_page = _of_size(rng, 0.9, len(DEVICES), len(PAGES))
        sizes = (len(DEVICES), NUM_GENRES, NUM_DAYPARTS, len(PAGES), NUM_TIERS, NUM_AGES)
        self.signs = [_balanced_signs(rng, size) for size in sizes]


def _of_size(rng: np.random.Generator, size: float, *shape: int) -> Floats:
    """Normal samples with exactly this standard deviation, so that all seeds are equally hard."""
    samples = rng.normal(size=shape)
    scaled: Floats = (samples - samples.mean()) * (size / samples.std())
    return scaled


def _balanced_signs(rng: np.random.Generator, size: int) -> Floats:
    return rng.permutation(np.where(np.arange(size) % 2 == 0, 1.0, -1.0))


def _heavy_tail(size: int, exponent: float) -> Floats:
    """Zipf's law: the probability of the k-th most frequent is proportional to 1 / k^exponent."""
    share = 1.0 / np.arange(1, size + 1) ** exponent
    normalised: Floats = share / share.sum()
    return normalised


def _intercept(logit: Floats) -> float:
    """The constant that makes the mean probability the click rate, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        too_low = float(np.mean(1 / (1 + np.exp(-(logit + middle))))) < _CLICK_RATE
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2
