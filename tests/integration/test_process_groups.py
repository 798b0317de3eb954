"""Two ranks use only process groups of ours, and agree on the collectives of each of them.

DeepSpeed's private API puts our group to use; a new version that ignores it fails here.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.ranks import STAGES, make_request, run_rank, start_ranks, write_data

from mixfront.training import TrialRequest, TrialSession

pytestmark = pytest.mark.integration

MODEL = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8, "num_blocks": 1, "block_size": 4}
TIMEOUT_S = 5
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
    control = ControlGroup(60)
    stuck = request(root, "stuck", STUCK_STAGE)
    results["verdict"] = fail_before_a_reduce(stuck, control, fails=rank == 1)
    return results


def train(root: Path, stage: int) -> list[int]:
    """Collectives that a trial started: on the world group, and on DeepSpeed's."""
    from mixfront.lanes.agreement import data_sequences

    session, before = TrialSession(request(root, f"whole-{stage}", stage)), data_sequences()
    session.advance()
    after = data_sequences()
    session.close()
    return [after.world - before.world, after.deepspeed - before.deepspeed]


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
    assert [results["timeouts"] for results in pair] == [[TIMEOUT_S, TIMEOUT_S]] * 2


@pytest.mark.parametrize("stage", STAGES)
def test_the_collectives_of_every_stage_are_counted(
    stage: int, pair: list[dict[str, Any]]
) -> None:
    first, second = (results[f"moved-{stage}"] for results in pair)
    world, deepspeed = first
    assert first == second
    assert world > 0
    assert (deepspeed > 0) == (stage < 3)  # ZeRO 3 trains on the world group


def test_ranks_that_failed_around_a_reduce_are_out_of_step(pair: list[dict[str, Any]]) -> None:
    assert [results["verdict"] for results in pair] == ["kill"] * 2


if __name__ == "__main__":
    run_rank(rank_main)
