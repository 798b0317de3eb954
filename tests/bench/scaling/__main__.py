"""Order and scaling of families on data of a known teacher; see docs/scaling.md.

    python -m tests.bench.scaling --out FOLDER [--quick] [--workers 2]

Prints the tables as Markdown, and writes them to FOLDER/table.md and the picture to
FOLDER/scaling.svg. A study that was interrupted resumes if it is started again.
"""

from pathlib import Path

from tests.bench.scaling.command import parse
from tests.bench.scaling.measured import measure
from tests.bench.scaling.picture import draw
from tests.bench.scaling.report import report
from tests.bench.scaling.study import Plan, run_study
from tests.bench.scaling.training import evaluation_labels


def main(plan: Plan, folder: Path, num_workers: int) -> str:
    """Run the study; returns the tables."""
    truth, results = run_study(plan, folder, num_workers=num_workers)
    measured = measure(results, evaluation_labels(folder), folder / "scores")
    families, baselines = list(plan.families), list(plan.baselines)
    text = "\n".join(report(truth, measured, families, baselines))
    (folder / "table.md").write_text(text + "\n")
    draw(measured, families, baselines[0], folder / "scaling.svg")
    return text


if __name__ == "__main__":
    print(main(*parse(__doc__)))
