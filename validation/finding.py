"""Claims of the theory and what became of them.

A claim has hypotheses, and statements "measured <= bound" that follow from them.  Its verdict is

    not certified   a hypothesis is not met, or nothing could be measured: the theory says nothing here;
    fails           the hypotheses are met and a measured number lies on the wrong side of its bound by more
                    than the tolerance: a bug or a refutation;
    empty           nothing is on the wrong side, but the claim's constants could be a million times larger before
                    anything were: the theory says something here, and nothing of interest;
    holds           otherwise.

The *slack* of a measurement is the factor by which the claim's constants (a rate, the log-Sobolev constant in it, the
constant of an inequality) could be inflated before it failed, its tolerance left aside: one where the inequality is an
equality.  It is a number of statements with such constants; an identity has none.  A claim's slack is the least of its
measurements'.

The tolerance of every measurement is split into what the theory itself leaves open (terms of higher order), what
the discretisation adds where a statement is of the continuous flow (time error), and rounding.  A measurement that
is not a number fails, and so does one whose tolerance is not finite: it could not fail otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from wpoflow.core.display import Displayed

NEGLIGIBLE = 1e-9
PARTS = ("theory", "discretisation", "rounding")
EMPTY_FROM = 1e6  # slack from which a claim says nothing


class Verdict(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    EMPTY = "empty"
    NOT_CERTIFIED = "not certified"


@dataclass(frozen=True)
class Hypothesis:
    """A condition of the theory, whether this problem meets it, and by what numbers.

    One of ``scope`` says of which flows, actions and temperatures the claim is at all.
    """

    name: str
    met: bool
    detail: str = ""
    scope: bool = False


@dataclass(frozen=True)
class Measurement:
    """One statement measured.

    Attributes
    ----------
    quantity : str
        What was measured.
    measured, bound : float
    relation : {"<=", ">=", "="}
        What the claim says of measured and bound.
    where : str
        At which time, state or step the least favourable value was found.
    theory, discretisation, rounding : float
        Error budget, in the units of what is measured.
    slack : float or None
        The factor by which the claim's constants could be inflated before the measured number were on the wrong side;
        infinite where no constant were too large, None where the statement has no constant.
    """

    quantity: str
    measured: float
    bound: float
    relation: str
    where: str = ""
    theory: float = 0.0
    discretisation: float = 0.0
    rounding: float = 0.0
    slack: float | None = None

    @property
    def tolerance(self) -> float:
        """The parts of the error budget together."""
        return self.theory + self.discretisation + self.rounding

    @property
    def relative_tolerance(self) -> float:
        """The tolerance in units of the larger of what is measured and bound; as it is where both are negligible."""
        scale = max(abs(float(self.bound)), abs(float(self.measured)))
        found = float(self.tolerance) / (scale if self.bound != 0.0 and scale > NEGLIGIBLE else 1.0)
        return math.inf if math.isnan(found) else found

    @property
    def excess(self) -> float:
        """How far the measured number lies on the wrong side of the bound; negative on the right side."""
        difference = float(self.measured) - float(self.bound)
        return {"<=": difference, ">=": -difference, "=": abs(difference)}[self.relation]

    @property
    def holds(self) -> bool:
        """Whether the excess is within the tolerance; never if one of the two is not a number."""
        return bool(self.excess <= self.tolerance) and math.isfinite(self.tolerance)


@dataclass(frozen=True)
class Finding(Displayed):
    """What one claim came to on one case.

    Attributes
    ----------
    claim, case : str
        Names of the claim and of the problem or run.
    statement, source : str
        The claim in words, and where it is proven.
    hypotheses : tuple of Hypothesis
    measurements : tuple of Measurement
    notes : dict of str to number or text
        Further numbers worth knowing, which decide nothing.
    """

    claim: str
    case: str
    statement: str
    source: str
    hypotheses: tuple[Hypothesis, ...]
    measurements: tuple[Measurement, ...]
    notes: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Finding({self.claim!r} on {self.case!r}: {self.verdict}; {self.reason})"

    @property
    def verdict(self) -> Verdict:
        """Holds, fails, empty or not certified; see the module's text."""
        if not all(hypothesis.met for hypothesis in self.hypotheses) or not self.measurements:
            return Verdict.NOT_CERTIFIED
        if not all(entry.holds for entry in self.measurements):
            return Verdict.FAILS
        return Verdict.EMPTY if self.slack is not None and self.slack > EMPTY_FROM else Verdict.HOLDS

    @property
    def applies(self) -> bool:
        """Whether the claim is of the flow, the actions and the temperature at all."""
        return all(hypothesis.met for hypothesis in self.hypotheses if hypothesis.scope)

    @property
    def slack(self) -> float | None:
        """The least slack of the measurements; None if none has any."""
        found = [float(entry.slack) for entry in self.measurements if entry.slack is not None]
        return min(found, default=None)

    @property
    def reason(self) -> str:
        """One line: the measurement nearest to failing, or the hypothesis that is not met."""
        for hypothesis in sorted(self.hypotheses, key=lambda one: not one.scope):
            if not hypothesis.met:
                return f"{hypothesis.name}: {hypothesis.detail}" if hypothesis.detail else hypothesis.name
        if not self.measurements:
            return "nothing to measure"
        worst = max(self.measurements, key=_urgency)
        text = f"{worst.quantity} {worst.measured:.4g} {worst.relation} {worst.bound:.4g}"
        if worst.tolerance:
            text += f" within {worst.tolerance:.2g}"
        if worst.where:
            text += f" ({worst.where})"
        return text if self.slack is None else f"{text}; slack {self.slack:.3g}"

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "claim": self.claim,
            "case": self.case,
            "verdict": str(self.verdict),
            "slack": None if self.slack is None else json_ready(self.slack),
            "statement": self.statement,
            "source": self.source,
            "hypotheses": [{**asdict(hypothesis), "met": bool(hypothesis.met)} for hypothesis in self.hypotheses],
            "measurements": [
                {
                    "quantity": entry.quantity,
                    "measured": json_ready(float(entry.measured)),
                    "relation": entry.relation,
                    "bound": json_ready(float(entry.bound)),
                    "holds": entry.holds,
                    "tolerance": {part: json_ready(float(getattr(entry, part))) for part in PARTS},
                    "where": entry.where,
                    "slack": None if entry.slack is None else json_ready(float(entry.slack)),
                }
                for entry in self.measurements
            ],
            "notes": json_ready(self.notes),
        }


def inflatable(room: float, used: float) -> float:
    """The slack of a statement ``used <= room``, in which the constants are factors of ``used``: room/used."""
    if math.isnan(room) or math.isnan(used):
        return math.nan
    return room / used if used > 0.0 else math.inf


def _urgency(entry: Measurement) -> float:
    """Larger the closer to failing: the part of the tolerance, or of the bound, that is used up."""
    if not entry.holds:
        return math.inf
    if not math.isfinite(entry.excess):
        return -math.inf
    scale = max(abs(entry.bound), abs(entry.measured), entry.tolerance)
    return entry.excess / scale if scale > 0.0 else 0.0


def json_ready(value: Any) -> Any:
    """A value in JSON's types, however nested: numbers that are not finite are the texts "inf", "-inf", "nan"."""
    if isinstance(value, Mapping):
        return {str(name): json_ready(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value
