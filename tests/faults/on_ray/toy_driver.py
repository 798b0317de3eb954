"""`mixfront search ...` whose lanes train nothing: python -m tests.faults.on_ray.toy_driver ...

Everything but the session and its timeouts is real.
"""

import functools
import sys
from typing import Any


def replace_the_session() -> None:
    """Have every pool of this process run toy trials, with short timeouts."""
    from ray import cloudpickle
    from tests.faults.on_ray import faulty_session

    from mixfront.lanes import LaneSettings
    from mixfront.pool.pool import LanePool

    quick = LaneSettings(
        hung_after_s=6,
        noop_interval_s=1,
        heartbeat_interval_s=0.5,
        check_interval_s=0.3,
        agree_after_error_s=3,
        settle_s=5,
        lease_s=20,
    )
    pickle_by_value: Any = cloudpickle.register_pickle_by_value
    pickle_by_value(faulty_session)  # the workers cannot import the tests
    start = functools.partial(
        LanePool.start, session_factory=faulty_session.FaultySession, settings=quick
    )
    LanePool.start = start  # type: ignore[method-assign]


if __name__ == "__main__":
    try:
        replace_the_session()
    except KeyboardInterrupt:  # the command itself imports Ray only where it handles Ctrl-C
        sys.exit(130)
    from mixfront.cli.app import main

    sys.argv[1:1] = ["search"]
    main()
