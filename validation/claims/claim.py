"""What a claim is to the suite: a name, a sentence, a source, and the function that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wpoflow.core.registry import choices
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Hypothesis, Measurement
from wpoflow.validation.judged_flow import WASSERSTEIN

CONSTANT = "a constant temperature"
Judgement = tuple[tuple[Hypothesis, ...], tuple[Measurement, ...], dict[str, Any]]


@dataclass(frozen=True)
class Claim:
    """A claim about one case.

    Attributes
    ----------
    name : str
        As given to ``--only``.
    statement, source : str
        The claim in words, and where it is proven.
    judge : callable
        From evidence to hypotheses, measurements and notes.
    needs_problem : bool
        Whether policies must be evaluated, so that a run file alone is not enough.
    needs_family : bool
        Whether the problem must be run on several grids.
    any_temperature : bool
        Whether it is meant of runs in which the temperature falls, too.
    annealed : bool
        Whether it is meant of those alone.
    flows : tuple of str
        The flows it is a theorem of; empty where it says itself of which flows it is not, and why.
    """

    name: str
    statement: str
    source: str
    judge: Callable[[Evidence], Judgement]
    needs_problem: bool = False
    needs_family: bool = False
    any_temperature: bool = False
    annealed: bool = False
    flows: tuple[str, ...] = ()

    def applies(self, evidence: Evidence) -> bool:
        """Whether the evidence holds what the claim needs."""
        return not self.obstacle(evidence)

    def obstacle(self, evidence: Evidence) -> str:
        """Why it cannot be judged on the evidence, and what to do, in words; empty where it can."""
        if self.flows and evidence.judged_as.name not in self.flows:
            return f"a theorem of {choices(sorted(self.flows))}, which is not what was followed; set flow.kind"
        if self.annealed and evidence.annealing is None:
            return "of temperatures that fall, and it was constant; set flow.anneal"
        if evidence.mdp is None and (self.needs_problem or self.needs_family):
            flow = evidence.judged_as.name
            followed = "" if flow == WASSERSTEIN else f", with flow.kind = {flow}"
            return f"a run file alone is not enough for that; name a problem{followed}"
        if self.needs_family and evidence.family is None:
            return "one grid alone is not enough for that; name a problem file"
        return ""

    def finding(self, evidence: Evidence) -> Finding:
        """Judge the claim on one case; it does not apply where the temperature falls unless it says so."""
        if evidence.annealing is not None and not self.any_temperature:
            falls = Hypothesis(CONSTANT, False, f"it falls, by the {evidence.annealing.schedule} schedule", scope=True)
            return Finding(self.name, evidence.name, self.statement, self.source, (falls,), (), {})
        hypotheses, measurements, notes = self.judge(evidence)
        return Finding(self.name, evidence.name, self.statement, self.source, hypotheses, measurements, notes)


def claim(name: str, statement: str, source: str, **needs: Any) -> Callable[[Callable[[Evidence], Judgement]], Claim]:
    """Decorator that makes a claim of the function that judges it."""
    return lambda judge: Claim(name, statement, source, judge, **needs)
