"""Progress of a running search: a live table, or plain lines if the output is not a terminal."""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mixfront.exceptions import LaneError
from mixfront.pareto.formatting import format_value, label
from mixfront.pareto.front import front_of
from mixfront.pareto.publish import SHARE
from mixfront.pool.leases import LaneUse
from mixfront.pool.status import LaneStatus
from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.search.limits.budget import Budget
from mixfront.spec.metrics import describe_metric
from mixfront.terminal.waiting import EVERY_S, Ticker, clock_text

REFRESH_PER_S = 2
SHOWN_STATES = (
    TrialState.COMPLETE,
    TrialState.RUNNING,
    TrialState.PRUNED,
    TrialState.FAILED,
    TrialState.INFEASIBLE,
)


@dataclass(frozen=True, kw_only=True)
class _Volume:
    """The hypervolume that is shown."""

    text: str
    num_complete: int  # trials when it was computed
    next_s: float  # not computed again before this moment


class ProgressDisplay:
    """Shows the progress of a search; use it as a context manager around the search.

    Args:
        search: The search, for its objectives.
        trials: Trials of earlier drivers, when resuming.
        budget: The search's budget.
        console: Where to print.
        every_s: If the output is not a terminal, print a status line after this many seconds
            without output.
        clock: Monotonic seconds; decides how often the hypervolume is computed.
    """

    def __init__(
        self,
        search: SearchRecord,
        trials: list[TrialRecord],
        budget: Budget,
        console: Console,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search = search
        self._trials = {trial.trial_id: trial for trial in trials}
        self._budget = budget
        self._console = console
        self._every_s = every_s
        self._clock = clock
        self._volume = _Volume(text="", num_complete=-1, next_s=clock())
        self._started = self._last_line = time.monotonic()
        self._lanes: Callable[[], list[LaneStatus]] = list
        self._ticker = Ticker(self._print_status, every_s / 4)
        self._live = Live(
            get_renderable=self.table, console=console, refresh_per_second=REFRESH_PER_S
        )

    def __enter__(self) -> "ProgressDisplay":
        if self._console.is_terminal:
            self._live.start()
        else:
            self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._volume = replace(self._volume, next_s=-math.inf)  # the last table is exact
        if self._console.is_terminal:
            self._live.stop()
        self._ticker.stop()

    def watch_lanes(self, lanes: Callable[[], list[LaneStatus]]) -> None:
        """Show how many lanes are still starting.

        Args:
            lanes: Returns the status of every lane.
        """
        self._lanes = lanes

    def on_start(self, record: TrialRecord) -> None:
        """Show that a trial started."""
        self._trials[record.trial_id] = record

    def on_result(self, record: TrialRecord) -> None:
        """Show a trial's latest evaluation."""
        self._trials[record.trial_id] = record

    def on_end(self, record: TrialRecord) -> None:
        """Show how a trial ended."""
        self._trials[record.trial_id] = record
        if not self._console.is_terminal:
            self._print(self._line(record))

    def table(self) -> Table:
        """Number of trials by state, best value per objective, hypervolume and times."""
        table = Table(title=f"search {self._search.name}", title_justify="left", box=None)
        for column in ("trials", "best", "hypervolume", "time"):
            table.add_column(column, vertical="top")
        table.add_row(self._states(), self._best(), self._hypervolume(), self._times())
        return table

    def _states(self) -> str:
        counts = Counter(trial.state for trial in self._trials.values())
        lines = [f"{counts[state]:>4} {state}" for state in SHOWN_STATES if counts[state]]
        if (planned := self._budget.planned) is not None:
            lines.append(f"{planned:>4} planned")
        if lanes := self._lane_text():
            lines.append(lanes)
        return "\n".join(lines)

    def _best(self) -> str:
        done = [t for t in self._trials.values() if t.state is TrialState.COMPLETE]
        if not done:
            return "none yet"
        lines = []
        for objective in self._search.objectives:
            pick = max if objective.direction == "max" else min
            best = pick(done, key=lambda trial: trial.values[objective.metric])
            shown = format_value(objective.metric, best.values[objective.metric])
            lines.append(f"{label(objective)} {shown} (trial {best.trial_id}, {best.family})")
        return "\n".join(lines)

    def _hypervolume(self) -> str:
        """Of the front so far, computed again after a trial has completed.

        It takes 0.3 s of CPU for 20,000 trials, so at most 5 % of the driver's time.
        """
        trials = list(self._trials.values())
        num_complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
        started = self._clock()
        if num_complete != self._volume.num_complete and started >= self._volume.next_s:
            front = front_of(trials, self._search.objectives, self._search.reference_point)
            now = self._clock()
            self._volume = _Volume(
                text=f"{front.hypervolume:.5g}",
                num_complete=num_complete,
                next_s=now + (now - started) / SHARE,
            )
        return self._volume.text

    def _times(self) -> str:
        lines = [f"{clock_text(self._elapsed())} so far"]
        if (left := self._seconds_left()) is not None:
            lines.append(f"{clock_text(left)} left")
        return "\n".join(lines)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _seconds_left(self) -> float | None:
        """Time left in the budget, or for the planned trials at this pace, whichever is less."""
        limits = [self._budget.seconds_left()]
        charged = [t.state for t in self._trials.values() if t.state is not TrialState.INFEASIBLE]
        finished = sum(state.is_finished for state in charged)
        if self._budget.planned is not None and finished:
            pace = self._elapsed() / finished
            limits.append(pace * max(0, self._budget.planned - finished))
        return min((limit for limit in limits if limit is not None), default=None)

    def _lane_text(self) -> str:
        """Which lanes are not ready, to explain a wait; empty if all are."""
        try:
            lanes = self._lanes()
        except LaneError:  # the pool is closing
            return ""
        waiting = [lane for lane in lanes if lane.waiting]
        starting = [lane for lane in lanes if not (lane.waiting or lane.warm or lane.usable)]
        broken = [lane for lane in lanes if lane.use is LaneUse.BROKEN]
        lines = []
        if waiting:
            needs = waiting[0].needs
            lines.append(f"lanes waiting for {needs} each: {len(waiting)} of {len(lanes)}")
        if num := len(starting) - len(broken):
            lines.append(f"lanes still starting: {num} of {len(lanes)}")
        if broken:
            lines.append(f"lanes broken: {len(broken)} of {len(lanes)} ({broken[0].last_error})")
        return "\n".join(lines)

    def _print_status(self) -> None:
        if time.monotonic() - self._last_line >= self._every_s:
            states = ", ".join(line.strip() for line in self._states().splitlines())
            self._print(f"{clock_text(self._elapsed())} so far: {states or 'no trials yet'}")

    def _print(self, line: str) -> None:
        self._last_line = time.monotonic()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, record: TrialRecord) -> str:
        values = ", ".join(
            f"{describe_metric(name).label} {format_value(name, value)}"
            for name, value in record.values.items()
        )
        outcome = record.error or values
        return f"trial {record.trial_id:>3} {record.state:<10} {record.family:<14} {outcome}"
