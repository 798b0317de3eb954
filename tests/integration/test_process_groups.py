"""Two ranks use only process groups of ours, and agree on the collectives of each of them.

DeepSpeed's private API puts our group to use; a new version that ignores it fails here.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.ranks import STAGES, make_request, run_rank, start_ranks, write_data

import mixfront.training.session as session_module
from mixfront.training import TrialRequest, TrialSession, evaluate
from mixfront.training.checkpoints.checkpoint import Checkpoints

pytestmark = pytest.mark.integration

MODEL = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8, "num_blocks": 1, "block_size": 4}
TIMEOUT_S = 5
SLOW_S = TIMEOUT_S + 1
STUCK_STAGE = 2


def request(root: Path, name: str, stage: int) -> TrialRequest:
    return make_request(root, name, "unimixer", MODEL, stage)


def rank_main(root: Path, rank: int, _world_size: int) -> dict[str, Any]:
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import _set_pg_timeout

    from mixfront.lanes.agreement import ControlGroup

    _set_pg_timeout(timedelta(seconds=TIMEOUT_S), dist.group.WORLD)  # as a lane's worker does
    results: dict[str, Any] = {f"moved-{stage}": train(root, stage) for stage in STAGES}
    results["timeouts"] = timeouts()
    results["slow"] = train_slowly(request(root, "slow", 0), is_first=rank == 0)
    control = ControlGroup(60)
    stuck = request(root, "stuck", STUCK_STAGE)
    results["verdict"] = fail_before_a_reduce(stuck, control, fails=rank == 1)
    return results


def train(root: Path, stage: int) -> list[int]:
    """Collectives that a trial started, in the order of `Sequences`."""
    from mixfront.lanes.agreement import data_sequences

    session, before = TrialSession(request(root, f"whole-{stage}", stage)), data_sequences()
    session.advance()
    after = data_sequences()
    session.close()
    return [end - start for start, end in zip(before, after, strict=True)]


def train_slowly(request: TrialRequest, *, is_first: bool) -> dict[str, Any]:
    """A trial for whose slow rank 0 the other waits longer than a collective may."""
    with watched() as stalls, pytest.MonkeyPatch.context() as patch:
        if is_first:
            slow_down(patch, Checkpoints, "_all_files")
            slow_down(patch, Checkpoints, "prune")
            slow_down(patch, evaluate, "ranking_metrics")
            slow_down(patch, session_module, "export_model")
        session = TrialSession(request)
        fidelities = [session.advance().fidelity for _ in range(2)]
        session.close()
    return {"fidelities": fidelities, "is_stalled": max(stalls) > TIMEOUT_S / 2}


@contextmanager
def watched() -> Iterator[list[float]]:
    """Seconds that the watchdog's detector reports for this thread while the block runs."""
    from mixfront.lanes.stall_detector import StallDetector

    detector, stop, stalls = StallDetector(), threading.Event(), list[float]()

    def watch() -> None:
        while not stop.wait(0.25):
            stalls.append(detector.observe())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stalls
    finally:
        stop.set()
        watcher.join()


def slow_down(patch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Have a function take longer than a collective may, the first time it is called."""
    function, slept = getattr(owner, name), list[str]()

    def slow(*args: Any, **kwargs: Any) -> Any:
        if not slept:
            slept.append(name)
            time.sleep(SLOW_S)
        return function(*args, **kwargs)

    patch.setattr(owner, name, slow)


def timeouts() -> list[float]:
    """Timeout of every process group of this process, in seconds."""
    import torch
    from torch.distributed.distributed_c10d import _world

    cpu = torch.device("cpu")
    return sorted(
        group._get_backend(cpu).options._timeout.total_seconds() for group in _world.pg_map
    )


def fail_before_a_reduce(request: TrialRequest, control: Any, *, fails: bool) -> str:
    """The verdict after one rank fails, and the other times out in DeepSpeed's reduce."""
    from mixfront.lanes.agreement import Phase, RankStatus, StatusCode, data_sequences, decide

    session = TrialSession(request)
    if fails:
        session._trainer.engine.backward = broken  # type: ignore[assignment, method-assign]
    with pytest.raises(RuntimeError):
        session.advance()
    status = RankStatus(phase=Phase.END, code=StatusCode.FAILED, sequences=data_sequences())
    return decide(control.exchange(status)).value


def broken(_loss: object) -> None:
    raise RuntimeError("injected error")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    root = tmp_path_factory.mktemp("groups")
    write_data(root)
    return start_ranks(__name__, root, 2)


def test_every_group_has_the_timeout_of_the_spec(pair: list[dict[str, Any]]) -> None:
    """DeepSpeed creates none of its own: that would have torch's 30 minutes."""
    waiting_s = 86_400  # where ranks wait for slow work of others
    assert [results["timeouts"] for results in pair] == [[TIMEOUT_S, TIMEOUT_S, waiting_s]] * 2


@pytest.mark.parametrize("stage", STAGES)
def test_the_collectives_of_every_stage_are_counted(
    stage: int, pair: list[dict[str, Any]]
) -> None:
    first, second = (results[f"moved-{stage}"] for results in pair)
    world, deepspeed, waiting = first
    assert first == second
    assert world > 0
    assert waiting > 0
    assert (deepspeed > 0) == (stage < 3)  # ZeRO 3 trains on the world group


def test_ranks_wait_for_slow_work_of_rank_0(pair: list[dict[str, Any]]) -> None:
    for results in pair:
        assert results["slow"]["fidelities"] == [0.5, 1.0]
        assert results["slow"]["is_stalled"]  # so that a hang of rank 0 is found


def test_ranks_that_failed_around_a_reduce_are_out_of_step(pair: list[dict[str, Any]]) -> None:
    assert [results["verdict"] for results in pair] == ["kill"] * 2


if __name__ == "__main__":
    run_rank(rank_main)
