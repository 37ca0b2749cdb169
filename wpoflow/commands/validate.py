"""``wpoflow validate``: the theory's claims, held against runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wpoflow.commands.outputs import check_report
from wpoflow.commands.subject import naming_its_subject
from wpoflow.compiling import telling_of_compiling
from wpoflow.core.text import did_you_mean
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.problem_file import is_run_file, read_problem
from wpoflow.views.terminal import path_text, show
from wpoflow.views.verdicts import result_text

if TYPE_CHECKING:
    from wpoflow.validation.evidence import Evidence
    from wpoflow.validation.suite import SuiteResult
    from wpoflow.views.report import CaseView


@naming_its_subject
def main(
    *,
    targets: Sequence[str],
    only: Sequence[str],
    level: str,
    jobs: int | None,
    report: Path | None,
    quiet: bool,
    anyway: bool,
    changes: Mapping[str, Any],
) -> Exit:
    """Judge run files, problems, or with none of them everything; print the verdicts, write the report if asked to."""
    runs = [target for target in targets if target.endswith(".h5") or is_run_file(target)]
    if changes and (runs or not targets):
        given = " and ".join(f"--{name}" for name in changes)
        raise CommandError(Exit.UNUSABLE, f"{given}: for problems alone; {runs[0] if runs else 'the suite'} is none")
    problems = [read_problem(target, **changes) for target in targets if target not in runs]
    import numpy as np

    from wpoflow.commands.info import warn_of_damage
    from wpoflow.core.memory import needed_by
    from wpoflow.solver.storage.atomic import RunFileError
    from wpoflow.solver.storage.plausible import implausible
    from wpoflow.solver.storage.writer import open_run
    from wpoflow.studies.sweep.engine import threads_each
    from wpoflow.validation.claims import CLAIMS
    from wpoflow.validation.everything import validate_everything, validate_problems
    from wpoflow.validation.evidence import EvidenceError
    from wpoflow.validation.report import as_dict, write_report
    from wpoflow.validation.suite import claim_names, merged, validate_run

    for name in only:
        if name not in claim_names():
            known = claim_names()
            raise CommandError(
                Exit.UNUSABLE, f"--only {name}: choose among {', '.join(known)}{did_you_mean(name, known)}"
            )

    check_report(report, ["report.json", "report.html"], targets)

    def tell(text: str) -> None:
        if not quiet:
            show(f"  {text}")

    views: dict[str, CaseView] = {}
    view: Callable[[Evidence], CaseView] | None = None
    if report is not None:
        from wpoflow.views.report import evidence_view

        view = evidence_view

    def watch(evidence: Evidence) -> None:
        """Keep what the page shows of a case; its run is let go."""
        if view is not None:
            views[evidence.name] = view(evidence)

    results: list[SuiteResult] = []
    with telling_of_compiling(quiet):
        for target in runs:
            with needed_by(target):
                run = open_run(target, anyway=anyway)
                warn_of_damage(run, target)
                try:
                    if (why := implausible(run)) is not None:
                        raise RunFileError(f"{target}: its numbers are not those of a run: {why}")
                    with np.errstate(all="ignore"):  # the verdicts tell of numbers that are none
                        results.append(validate_run(run, target, only, watch))
                except EvidenceError as error:
                    raise CommandError(Exit.UNUSABLE, str(error)) from error
        if problems or not targets:
            how = (level, only, tell, view, jobs or threads_each(1))
            found, seen = validate_problems(problems, *how) if problems else validate_everything(*how)
            results.append(found)
            views.update(seen)
    result = merged(results)
    if not result.findings:
        hints = {claim: words for (claim, _), words in result.left_out.items()}
        hints |= {name: "it is judged where no target is named" for name in only if name not in CLAIMS}
        named = {words: [name for name in hints if hints[name] == words] for words in hints.values()}
        said = "; ".join(f"--only {', '.join(names)}: {words}" for words, names in named.items())
        raise CommandError(Exit.UNUSABLE, said)
    if not quiet:
        show("\n" + result_text(result))
    if report is not None:
        from wpoflow.views.report import write_page

        content = as_dict(result)
        written = [write_report(content, report), write_page(content, views, report)]
        if not quiet:
            show(f"written to {' and '.join(map(path_text, written))}")
    return Exit.DONE if result.passed else Exit.SHORT_OF_GOAL
