"""Seconds of several things, measured side by side: one round after another, the best of each."""

import time
from collections.abc import Callable, Mapping


def side_by_side(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Best seconds of each after one unmeasured round.

    With one thread, CPU seconds (the default clock) are what others on the machine disturb
    least.
    """
    best: dict[str, float] = {}
    for measured in [False] + [True] * rounds:
        for name, run in runs.items():
            started = clock()
            run()
            seconds = clock() - started
            if measured:
                best[name] = min(seconds, best.get(name, seconds))
    return best
