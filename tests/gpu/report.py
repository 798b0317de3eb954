"""The report of a part: tables, requirements and notes, saved after every line."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, Field

Cell = str | int | float | bool | None


class State(StrEnum):
    """How far a part has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"  # it exceeded its time limit


class Table(BaseModel):
    """Rows of cells under headings."""

    title: str
    columns: list[str]
    rows: list[list[Cell]] = Field(default_factory=list)


class Requirement(BaseModel):
    """A requirement, whether it was met, and the value that decided."""

    text: str
    met: bool
    value: str


class PartReport(BaseModel):
    """All results of one part."""

    name: str
    title: str
    state: State = State.RUNNING
    seconds: float = 0.0
    error: str | None = None
    tables: list[Table] = Field(default_factory=list)
    requirements: list[Requirement] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class Recorder:
    """Adds to a part's report, prints each line, and saves the report after it.

    Args:
        report: The report to fill.
        path: Where to save it as JSON.
    """

    def __init__(self, report: PartReport, path: Path) -> None:
        self.report = report
        self._path = path
        self.save()

    def table(self, title: str, *columns: str) -> Table:
        """Start a table."""
        table = Table(title=title, columns=list(columns))
        self.report.tables.append(table)
        print(f"\n{title}\n{' | '.join(columns)}", flush=True)
        return table

    def row(self, table: Table, *cells: Cell) -> None:
        """Add a row to a table."""
        assert len(cells) == len(table.columns), (table.title, cells)
        table.rows.append(list(cells))
        print(" | ".join(format_cell(cell) for cell in cells), flush=True)
        self.save()

    def require(self, text: str, met: bool, value: str) -> None:
        """Record whether a requirement is met."""
        self.report.requirements.append(Requirement(text=text, met=met, value=value))
        print(f"{'pass' if met else 'FAIL'}: {text}: {value}", flush=True)
        self.save()

    def note(self, text: str) -> None:
        """Add a sentence."""
        self.report.notes.append(text)
        print(text, flush=True)
        self.save()

    def skip(self, reason: str) -> None:
        """Mark the part as skipped."""
        self.report.state = State.SKIPPED
        self.note(reason)

    def save(self) -> None:
        """Replace the saved report."""
        replace_text(self._path, self.report.model_dump_json(indent=1))


def replace_text(path: Path, text: str) -> None:
    """Replace a file atomically."""
    building = path.with_name(f".{path.name}.building")
    building.write_text(text)
    building.replace(path)


def one_line(error: Exception) -> str:
    """An exception's class and message on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"


def markdown(environment: dict[str, str], parts: list[PartReport]) -> str:
    """The whole report as a Markdown page."""
    facts = ", ".join(f"{key} {value}" for key, value in environment.items() if key != "device")
    blocks = [f"# {environment['device']}", facts]
    for part in parts:
        blocks += _section(part)
    return "\n\n".join(blocks) + "\n"


def _section(part: PartReport) -> list[str]:
    state = f"{part.state}, {part.seconds:.0f} s"
    blocks = [f"## {part.title}", f"{state}: {part.error}" if part.error else state]
    if part.requirements:
        rows: list[list[Cell]] = [[r.text, r.met, r.value] for r in part.requirements]
        blocks.append(_grid(["requirement", "met", "value"], rows))
    for table in part.tables:
        blocks += [f"**{table.title}**", _grid(table.columns, table.rows)]
    return blocks + part.notes


def _grid(columns: list[str], rows: list[list[Cell]]) -> str:
    lines = [columns, ["---"] * len(columns)]
    lines += [[format_cell(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_cell(cell: Cell) -> str:
    """A cell as text; fractions have three significant digits."""
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return "" if cell is None else cell.replace("|", "/")
