"""``wpoflow compare``: several flows on one problem, each in a run file, and what each took to which gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wpoflow.commands.outputs import check_report, files_read
from wpoflow.commands.subject import naming_its_subject
from wpoflow.compiling import telling_of_compiling
from wpoflow.exits import CommandError, Exit, warn
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.storage.atomic import RunFileError, write_text
from wpoflow.studies.comparison.contestant import contestants
from wpoflow.views.terminal import path_text, show

JSON, CSV, FIGURE, PAGE = "compare.json", "compare.csv", "compare.png", "compare.html"
DOES = {"run": "is run", "resume": "is gone on with", "keep": "is there and whole, and is kept"}


@naming_its_subject
def main(
    *,
    asked: Mapping[str, Any],
    flows: Sequence[str],
    output: Path | None,
    until: Mapping[str, float] | None,
    accuracy: float | None,
    report: bool,
    force: bool,
    quiet: bool,
) -> Exit:
    """Run, keep or go on with each flow; print the tables, write them with the figure beside the run files."""
    try:
        chosen = contestants(flows)
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--{error}") from error
    name = read_problem(**asked).name
    folder = Path(f"{name}-compare") if output is None else output
    if folder.exists() and not folder.is_dir():
        raise CommandError(Exit.UNUSABLE, f"-o {folder}: exists and is no folder")
    check_report(folder, [JSON, CSV, FIGURE, *([PAGE] if report else [])], files_read(asked))
    from wpoflow.validation.comparison import compare

    def tell(label: str, what: str) -> None:
        if not quiet:
            show(f"  {label} {DOES[what]}")

    try:
        with telling_of_compiling(quiet):
            found = compare(
                asked["name_or_path"],
                [one.label for one in chosen],
                until=until,
                accuracy=accuracy,
                cells=asked.get("cells"),
                set=asked.get("set"),
                folder=folder,
                force=force,
                progress=tell,
            )
    except (ProblemError, RunFileError):
        raise
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--{error}" if str(error).startswith("flow ") else str(error)) from error
    except KeyboardInterrupt as error:
        kept = f"what is done is kept, and the same command with -o {folder} goes on"
        raise CommandError(Exit.INTERRUPTED, f"interrupted; {kept}") from error
    from wpoflow.studies.comparison.study import write_report

    written = [
        write_report(found, folder),
        write_text(folder / CSV, found.as_csv()),
    ]
    from wpoflow.commands.plot import write_figure
    from wpoflow.views.figures.comparison import draw_comparison

    write_figure(draw_comparison(found), folder / FIGURE)
    written.append(folder / FIGURE)
    if report:
        from wpoflow.views.report.comparison import comparison_html

        written.append(write_text(folder / PAGE, comparison_html(found)))
    if not quiet:
        from wpoflow.views.comparison_table import comparison_text

        show("\n" + comparison_text(found))
        show(f"\nwritten to {', '.join(map(path_text, written))}, beside a run file for each flow")
    return _ended(found.entries, folder)


def _ended(entries: Sequence[Any], folder: Path) -> Exit:
    """What came of it: one was interrupted, or failed, or none reached what was asked for; else it is done."""
    for entry in entries:
        if entry.run.status == "interrupted":
            warn(f"{entry.label}: {entry.run.stop_reason}; the same command with -o {folder} goes on with it")
            return Exit.INTERRUPTED
    blamed: Sequence[Any] = [entry for entry in entries if entry.run.status != "complete"]
    if not any(entry.run.reached_goal for entry in entries):
        blamed = entries
    for entry in blamed:
        warn(f"{entry.label}: {entry.run.stop_reason}")
    return Exit.SHORT_OF_GOAL if blamed else Exit.DONE
