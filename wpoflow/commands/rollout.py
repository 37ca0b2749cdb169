"""``wpoflow rollout``: returns of a stored policy in a Gymnasium environment."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from wpoflow.commands.subject import naming_its_subject
from wpoflow.core.text import did_you_mean, one_line
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.gym import make_environment
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.planning import Plan
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.prospects import chosen_source
from wpoflow.problems.environments.rollout import Rollout, rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.terminal import hand_out, path_text, show, table

_KINDS: dict[type[Plan], str] = {LookAhead: "look-ahead", CrossEntropy: "cross-entropy"}


@naming_its_subject
def main(
    *,
    file: Path,
    environment: str,
    episodes: int,
    seed: int,
    mode: str | None,
    policy: str | None,
    hold: int,
    look_ahead: int | None,
    cem: int | None,
    settings: Mapping[str, Any],
    as_json: bool,
) -> Exit:
    """Play the policy of a run file or optimum file, and print the returns."""
    plan = _plan(look_ahead, cem, settings)
    try:
        make_environment(environment).close()  # a mistake in the name is said before a large file is read
    except ProblemError as error:
        raise CommandError(Exit.UNUSABLE, f"--env: {error}") from error
    run = open_run(file)
    acting = GridPolicy.from_run(run, policy, mode or "", plan)
    started = time.monotonic()
    done = rollout(acting, environment, episodes=episodes, seed=seed, hold=hold)
    seconds = time.monotonic() - started
    source = chosen_source(run, policy)
    if as_json:
        found = {"file": str(file), "policy": source, "mode": acting.mode, "hold": hold, "seconds": seconds}
        found |= {"plan": None if plan is None else {"kind": _KINDS[type(plan)], **asdict(plan), "steps": done.plan}}
        found |= as_dict(done)
        hand_out(json.dumps(found, indent=2, allow_nan=False))
        return Exit.DONE
    rows = [*_policy_rows(file, run, source, acting.mode, hold, plan), *_plan_rows(plan, done)]
    show(table([*rows, *_rows(done), ("seconds", f"{seconds:.2f}")]))
    return Exit.DONE


def _plan(look_ahead: int | None, cem: int | None, settings: Mapping[str, Any]) -> Plan | None:
    """The plan that was asked for."""
    if look_ahead is not None and cem is not None:
        raise CommandError(Exit.UNUSABLE, "--look-ahead and --cem: give one of them, not both")
    if look_ahead is None and cem is None:
        if settings:
            raise CommandError(Exit.UNUSABLE, f"--plan {next(iter(settings))}: of a plan; give --look-ahead or --cem")
        return None
    kind, option = (CrossEntropy, "--cem") if look_ahead is None else (LookAhead, "--look-ahead")
    given = {"horizon": cem} if look_ahead is None else {"depth": look_ahead}
    known = [entry.name for entry in fields(kind) if entry.name not in given]
    for name in settings:
        if name not in known:
            near = did_you_mean(name, known)
            raise CommandError(Exit.UNUSABLE, f"--plan {name}: with {option} choose one of {', '.join(known)}{near}")
    try:
        return kind(**given, **settings)
    except (TypeError, ValueError) as error:
        raise CommandError(Exit.UNUSABLE, f"--plan: {error}") from error


def _plan_rows(plan: Plan | None, done: Rollout) -> list[tuple[str, str]]:
    if isinstance(plan, LookAhead):
        return [("plan", f"look-ahead of depth {plan.depth}, {done.plan}")]
    if isinstance(plan, CrossEntropy):
        drawn = f"{plan.iterations} x {plan.samples} samples, seed {plan.seed}"
        return [("plan", f"cross-entropy of {plan.horizon} actions, {drawn}, {done.plan}")]
    return []


def as_dict(done: Rollout) -> dict[str, object]:
    """Statistics of the returns, and the returns."""
    return {
        "environment": done.environment,
        "episodes": len(done.returns),
        "seed": done.seed,
        "mean": done.mean,
        "std": done.std,
        "standard_error": _standard_error(done),
        "median": done.median,
        "worst": done.worst,
        "best": done.best,
        "terminated": int(done.terminated.sum()),
        "failed": done.failed,
        "steps": int(done.steps.sum()),
        "returns": done.returns.tolist(),
    }


def _policy_rows(file: Path, run: Run, source: str, mode: str, hold: int, plan: Plan | None) -> list[tuple[str, str]]:
    which = "soft optimum"
    if source == "flow" and run.snapshots is not None:
        which = f"flow at time {run.snapshots.time[-1]:.6g}"
    held = "" if hold == 1 else f", held for {hold} steps"
    acted = "sampled from the policy" if mode == "sampled" else f"{mode} of the policy"
    if isinstance(plan, CrossEntropy):
        acted = "the first of each plan"
    elif isinstance(plan, LookAhead):
        acted = "of least Q" if plan.temperature == 0.0 else acted.replace("the policy", "the look-ahead's policy")
    return [
        ("policy", f"{which} of {path_text(file)}: {one_line(run.title) or '(no title)'}"),
        ("actions", acted + held),
    ]


def _rows(done: Rollout) -> list[tuple[str, str]]:
    n, ended = len(done.returns), int(done.terminated.sum())
    rows = [
        ("environment", done.environment),
        ("episodes", f"{n}, seeds {done.seed} to {done.seed + n - 1}, {int(done.steps.sum()):,} steps"),
        ("mean return", f"{done.mean:.6g} +- {_standard_error(done):.2g} (standard error)"),
        ("spread", f"{done.std:.6g} (standard deviation)"),
        ("median", f"{done.median:.6g}"),
        ("worst", f"{done.worst:.6g}"),
        ("best", f"{done.best:.6g}"),
        ("ended", f"{ended} by the environment, {n - ended} by its time limit"),
    ]
    if done.failed is not None:
        rows.append(("failed", f"{done.failed} without reaching the goal"))
    return rows


def _standard_error(done: Rollout) -> float:
    return done.std / math.sqrt(len(done.returns))
