"""Times alternatives side by side, in rounds, and takes the best time of each."""

import time
from collections.abc import Callable, Mapping


def side_by_side(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Best seconds of each run, after one warm-up round.

    With one thread, CPU time (the default clock) is least disturbed by other processes.
    """
    best: dict[str, float] = {}
    for is_measured in [False] + [True] * rounds:
        for name, run in runs.items():
            started = clock()
            run()
            seconds = clock() - started
            if is_measured:
                best[name] = min(seconds, best.get(name, seconds))
    return best
