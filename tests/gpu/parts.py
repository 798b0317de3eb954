"""The parts of the check, the most important first."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.gpu import families, prefetch, roofline, speed, trials
from tests.gpu.machine import Machine
from tests.gpu.report import PartReport, Recorder, State, one_line


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the check.

    Attributes:
        run: Runs the part and records its results.
        title: Its heading in the report.
        seconds: Time reserved for it; it may also use what earlier parts did not need.
    """

    run: Callable[[Machine, Recorder], None]
    title: str
    seconds: float


PARTS = {
    "families": Part(run=families.run, title="Every family against the CPU", seconds=70),
    "trials": Part(run=trials.run, title="Trials without Ray", seconds=110),
    "speed": Part(run=speed.run, title="Speed at the paper's shapes", seconds=170),
    "roofline": Part(run=roofline.run, title="Mixing and Sinkhorn on the roofline", seconds=45),
    "prefetch": Part(run=prefetch.run, title="Prefetching batches", seconds=55),
}


def run_part(name: str, machine: Machine) -> PartReport:
    """Run a part in this process; its report includes any exception."""
    part = PARTS[name]
    report = PartReport(name=name, title=part.title)
    recorder = Recorder(report, machine.folder / f"{name}.json")
    try:
        part.run(machine, recorder)
    except Exception as error:
        traceback.print_exc()
        report.state = State.FAILED
        report.error = one_line(error)
    else:
        if report.state is State.RUNNING:
            report.state = State.DONE
    recorder.save()
    return report
