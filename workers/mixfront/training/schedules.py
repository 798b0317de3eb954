"""Schedules, which depend only on the integer step: evaluation points, temperature, restart.

They refer to the steps of the *full* budget, never to those of a rung, so a trial that is stopped
early has followed the same schedule as one that is not.
"""

from fractions import Fraction
from math import ceil

from mixfront.models._base import TemperatureConfig


def evaluation_steps(total_steps: int, every: float) -> list[int]:
    """Steps after which a trial is evaluated, ascending; the last is `total_steps`.

    The k-th is the first step at which the trained share reaches k * every, in exact fractions
    (0.1 means 1/10). No step is listed twice.
    """
    share = Fraction(str(every))
    points = {ceil(total_steps * share * k) for k in range(1, ceil(1 / share))}
    return sorted({p for p in points if p < total_steps} | {total_steps})


def restart_step(config: TemperatureConfig | None, total_steps: int) -> int | None:
    """First step of the cold stage, at which optimizers are reset; None without two stages."""
    if config is None or config.tau_schedule != "two_stage":
        return None
    return ceil(total_steps * Fraction(str(config.hot_share)))


def tau_at(config: TemperatureConfig, step: int, total_steps: int) -> float:
    """Temperature at the 0-based step j = `step`; j = J gives that of the trained model.

    Linear: max(tau_s - (tau_s - tau_e) j / J, tau_e); two-stage: tau_s, then tau_e (UniMixer,
    arXiv 2604.00590, section on temperature). With `tau_steps`, that replaces J: if it is more
    than J, the trained model's temperature is above tau_e.
    """
    start, end = config.tau_start, config.tau_end
    if config.tau_schedule == "constant":
        return end
    switch = restart_step(config, total_steps)
    if switch is not None:
        return start if step < switch else end
    # The formula from the end of the line, so that the final temperature is exactly tau_e.
    falling = config.tau_steps or total_steps
    return max(end + (start - end) * (falling - step) / falling, end)
