"""What a person sees while a search runs: a live table, or a line an event where none can be."""

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mixfront.pareto.formatting import format_value, label
from mixfront.pareto.front import front_of
from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.spec.metrics import describe_metric

REFRESH_PER_S = 2
SHOWN_STATES = (
    TrialState.COMPLETE,
    TrialState.RUNNING,
    TrialState.PRUNED,
    TrialState.FAILED,
    TrialState.INFEASIBLE,
)


class ProgressDisplay:
    """Follows a search; use as a context manager around it.

    Args:
        search: The search, for its objectives.
        trials: Trials of earlier runs, when resuming.
        planned: Trials that the budget allows.
        deadline: Unix time at which the time budget ends, if there is one.
        console: Where to print.
    """

    def __init__(
        self,
        search: SearchRecord,
        trials: list[TrialRecord],
        planned: int | None,
        deadline: float | None,
        console: Console,
    ) -> None:
        self._search = search
        self._trials = {trial.trial_id: trial for trial in trials}
        self._planned = planned
        self._deadline = deadline
        self._console = console
        self._started = time.time()
        self._live = Live(
            get_renderable=self.table, console=console, refresh_per_second=REFRESH_PER_S
        )

    def __enter__(self) -> "ProgressDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def on_start(self, record: TrialRecord) -> None:
        """A trial was handed to a lane."""
        self._trials[record.trial_id] = record

    def on_result(self, record: TrialRecord) -> None:
        """A trial reached an evaluation."""
        self._trials[record.trial_id] = record

    def on_end(self, record: TrialRecord) -> None:
        """A trial ended, in whatever state."""
        self._trials[record.trial_id] = record
        if not self._console.is_terminal:
            self._console.print(self._line(record), highlight=False, soft_wrap=True)

    def table(self) -> Table:
        """Trials by state, the best of each objective, hypervolume, time."""
        table = Table(title=f"search {self._search.name}", title_justify="left", box=None)
        for column in ("trials", "best", "hypervolume", "time"):
            table.add_column(column, vertical="top")
        table.add_row(self._states(), self._best(), self._hypervolume(), self._times())
        return table

    def _states(self) -> str:
        counts = Counter(trial.state for trial in self._trials.values())
        lines = [f"{counts[state]:>4} {state}" for state in SHOWN_STATES if counts[state]]
        if self._planned is not None:
            lines.append(f"{self._planned:>4} planned")
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
        front = front_of(
            list(self._trials.values()), self._search.objectives, self._search.reference_point
        )
        return f"{front.hypervolume:.5g}"

    def _times(self) -> str:
        lines = [f"{_clock(time.time() - self._started)} so far"]
        if (left := self._seconds_left()) is not None:
            lines.append(f"{_clock(left)} left")
        return "\n".join(lines)

    def _seconds_left(self) -> float | None:
        """The sooner of the time budget and what the planned trials need at the pace so far."""
        bounds = [] if self._deadline is None else [max(0.0, self._deadline - time.time())]
        spent = [t.state for t in self._trials.values() if t.state is not TrialState.INFEASIBLE]
        finished = sum(state.is_finished for state in spent)
        if self._planned is not None and finished:
            pace = (time.time() - self._started) / finished
            bounds.append(pace * max(0, self._planned - finished))
        return min(bounds, default=None)

    def _line(self, record: TrialRecord) -> str:
        values = ", ".join(
            f"{describe_metric(name).label} {format_value(name, value)}"
            for name, value in record.values.items()
        )
        outcome = record.error or values
        return f"trial {record.trial_id:>3} {record.state:<10} {record.family:<14} {outcome}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
