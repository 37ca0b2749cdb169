"""A problem file's statement as equations, in MathML: dynamics, noise, cost, terminal set, reference, start.

Everything is read from the resolved text that a run carries, so that a report states the problem that was solved and
not one remembered.  An equation is a list of pieces between which a line may be broken.

Names of the problem that would look like a symbol of the report, as an axis ``h`` or a constant ``tau``, or like each
other, as ``x1`` and ``x_1``, stand upright as they are spelled.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from wpoflow.problems.checks import axis_names, places, read_expression, read_scope
from wpoflow.problems.expressions import Expression
from wpoflow.problems.problem_file import ProblemFile
from wpoflow.views.mathml import (
    INVISIBLE_TIMES,
    IVERSON,
    POWER,
    SIGN,
    THIN_SPACE,
    WORD,
    condition,
    expression,
    fenced,
    listed,
    number,
    operand,
    operator,
    primed,
    row,
    symbol,
    terms,
)

SYMBOLS_OF_THE_REPORT = frozenset("αγκλμξπρτVQPUEcdeht")
ALWAYS_TAKEN = ("ξ", "π", "P")
"""With any subscript: noise of an axis, first policy, probability of an outcome."""
BREAK_AFTER = 60  # characters of an expression; shorter ones are kept on one line


@dataclass(frozen=True)
class Equation:
    """What it is in words, and its pieces in MathML."""

    what: str
    pieces: tuple[str, ...]


def written_out(problem: ProblemFile) -> tuple[str, ...]:
    """Names of axes, constants and definitions that are spelled, since they would be taken for something else."""
    tables = problem.tables
    names = dict.fromkeys([*tables.shock, *tables.state, *tables.action, *tables.constants, *tables.definitions])
    shown = {name: _letters(name) for name in names}
    several = {text for text, count in Counter(shown.values()).items() if count > 1}
    return tuple(name for name, text in shown.items() if _is_taken(name, text) or text in several)


def _letters(name: str) -> str:
    """How a name looks, its subscripts behind a bar."""
    return re.sub(r"<[^>]*>", "", symbol(name).replace("<mrow>", "|"))


def _is_taken(name: str, shown: str) -> bool:
    letter, _, below = shown.partition("|")
    if "mathvariant" in symbol(name):  # a word
        return False
    return letter in (ALWAYS_TAKEN if below else SYMBOLS_OF_THE_REPORT)


class _WrittenOut(ast.NodeTransformer):
    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(WORD + node.id, node.ctx) if node.id in self._names else node

    def of(self, given: Expression) -> Expression:
        return replace(given, tree=self.visit(deepcopy(given.tree)))


def equations(problem: ProblemFile) -> list[Equation]:
    """The statement of a problem, in the order in which one would read it."""
    return _Statement(problem).equations()


def remarks(stated: Sequence[Equation], spelled: Sequence[str] = ()) -> tuple[str, ...]:
    """What must be said of signs that occur in the equations, and of names that are `written_out`."""
    pieces = "".join(piece for equation in stated for piece in equation.pieces)
    explained = {
        "<mi>ξ</mi>": "ξ are independent standard normal variables; the boundary acts after the noise.",
        IVERSON: "A bracket [ ] is 1 where the condition in it holds, else 0.",
    }
    said = [sentence for sign, sentence in explained.items() if sign in pieces]
    if spelled:
        said.append(f"Upright names are the problem's own and no symbols of the report: {', '.join(spelled)}.")
    return tuple(said)


class _Statement:
    def __init__(self, problem: ProblemFile) -> None:
        self.tables = problem.tables
        raw = self.tables.dump()
        self.scope, _ = read_scope(raw)
        self.spelled = written_out(problem)
        spelling = _WrittenOut(self.spelled)
        self.found = {place.key: spelling.of(read_expression(place, self.scope)) for place in places(raw)}
        self.definitions = {name: spelling.of(text) for name, text in self.scope.definitions.items()}
        self.states = [self.symbol(name) for name in axis_names(raw)[0]]
        self.actions = [self.symbol(name) for name in axis_names(raw)[1]]
        self.kind, self.letter = ("cost", "c") if self.tables.reward is None else ("reward", "r")

    def symbol(self, name: str) -> str:
        """A name as it stands in this problem's equations."""
        return symbol(WORD + name if name in self.spelled else name)

    def equations(self) -> list[Equation]:
        """See the function of this name."""
        numbers = self.tables.problem
        both = (
            row(symbol("discount"), operator("="), number(numbers.discount), operator(",")),
            row(symbol("temperature"), operator("="), number(numbers.temperature)),
        )
        shown = [Equation("discount and temperature", both)]
        if numbers.hold > 1:
            held = row("<mi>h</mi>", operator("="), number(numbers.hold))
            shown.append(Equation("steps of a decision, by one action; γ is the discount of a step", (held,)))
        if self.tables.constants:
            pieces = [row(self.symbol(name), operator("="), number(v)) for name, v in self.tables.constants.items()]
            shown.append(Equation("constants", (*(row(piece, operator(",")) for piece in pieces[:-1]), pieces[-1])))
        for name, text in self.definitions.items():
            shown.append(Equation("with", _equation(self.symbol(name), "=", text)))
        shown += self._shocks() + self._transition()
        pair = fenced(listed([*self.states, *self.actions]))
        running = _equation(row(f"<mi>{self.letter}</mi>", pair), "=", self.found[f"{self.kind}.running"])
        shown.append(Equation(f"running {self.kind}", running))
        return shown + self._termination() + self._laws()

    def _shocks(self) -> list[Equation]:
        shown = []
        for name, shock in self.tables.shock.items():
            by = f"by the method of {shock.method.title()}" if shock.method else "by a table"
            what = f"Markov shock on {shock.size} points, {by}"
            if shock.persistence is None or shock.deviation is None:
                points = listed([number(point) for point in shock.points]) if isinstance(shock.points, list) else ""
                shown.append(Equation(what, (row(self.symbol(name), operator("∈"), fenced(points)),)))
                continue
            mean = number((1.0 - shock.persistence) * (shock.mean or 0.0))
            noise = f"<msub><mi>ξ</mi>{self.symbol(name)}</msub>"
            kick = row(number(shock.deviation), operator(INVISIBLE_TIMES), noise)
            before = row(number(shock.persistence), operator(INVISIBLE_TIMES), self.symbol(name))
            plus = operator("+")
            shown.append(Equation(what, (row(primed(name), operator("≈"), mean, plus, before, plus, kick),)))
        return shown

    def _transition(self) -> list[Equation]:
        if self.tables.dynamics:
            return [*self._next_states("", self.tables.dynamics, self.tables.noise)]
        shown = []
        for k, outcome in enumerate(self.tables.outcome):
            chance = self.found[f"outcome.{k}.probability"]
            left = f"<msub><mi>P</mi><mn>{k + 1}</mn></msub>"
            shown.append(Equation(f"outcome {k + 1}, with probability", _equation(left, "=", chance)))
            shown += self._next_states(f"outcome.{k}.", outcome.dynamics, outcome.noise)
        return shown

    def _next_states(self, prefix: str, dynamics: dict[str, str], noise: dict[str, str]) -> list[Equation]:
        shown = []
        for name in dynamics:
            mean = self.found[f"{prefix}dynamics.{name}"]
            following = primed(WORD + name if name in self.spelled else name)
            pieces = _equation(following, "=", mean)
            if name in noise:
                if len(terms(mean.tree)) == 1:  # two cases, or a remainder, would seem to hold the noise as well
                    pieces = (row(following, operator("="), operand(mean.tree, SIGN)),)
                sigma = operand(self.found[f"{prefix}noise.{name}"].tree, POWER)
                kick = row(sigma, operator(INVISIBLE_TIMES), f"<msub><mi>ξ</mi>{self.symbol(name)}</msub>")
                pieces = (*pieces, row("<mo form='infix'>+</mo>", kick))
            shown.append(Equation("next state", pieces))
        return shown

    def _termination(self) -> list[Equation]:
        ends = self.found.get(f"{self.kind}.terminal_set")
        if ends is None:
            return []
        shown = [Equation("the process ends when the next state has", (condition(ends.tree),))]
        last = self.found.get(f"{self.kind}.terminal_{self.kind}")
        if last is not None:
            verb = "costs" if self.kind == "cost" else "earns"
            shown.append(Equation(f"and then {verb} γ times", _sum(last)))
        return shown

    def _laws(self) -> list[Equation]:
        action = listed(self.actions)
        potential = self.found["reference.potential"]
        density = row("<mi>U</mi>", fenced(action))
        measure = row("<mi>μ</mi>", fenced(row("<mi>d</mi>", THIN_SPACE, action)))
        exponential = f"<msup><mi>e</mi>{row(operator('−'), density)}</msup>"
        weight = row(exponential, operator(INVISIBLE_TIMES), "<mi>d</mi>", THIN_SPACE, action)
        shown = []
        if potential.text in ("0", "0.0"):
            uniform = row(measure, operator("∝"), "<mi>d</mi>", THIN_SPACE, action)
            shown.append(Equation("reference measure", (uniform,)))
        else:
            first = row(measure, operator("∝"), weight, operator(","))
            shown.append(Equation("reference measure", (first, *_equation(density, "=", potential))))
        if self.states:
            rho = row("<mi>ρ</mi>", fenced(listed(self.states)))
            shown.append(Equation("initial law of the state", _equation(rho, "∝", self.found["initial.state_density"])))
        given = [operator("|"), listed(self.states)] if self.states else []
        first = row("<msub><mi>π</mi><mn>0</mn></msub>", fenced(row(action, *given)))
        if "initial.policy_density" in self.found:
            shown.append(Equation("first policy", _equation(first, "∝", self.found["initial.policy_density"])))
        for key, letter in (("policy_mean", "m"), ("policy_covariance", "C")):
            for name, entry in self.found.items():
                if name == f"initial.{key}" or name.startswith(f"initial.{key}."):
                    of = name.removeprefix(f"initial.{key}").removeprefix(".").replace(",", " ")
                    left = f"<msub><mi>{letter}</mi><mtext>{of}</mtext></msub>" if of else f"<mi>{letter}</mi>"
                    what = "first policy" if letter == "m" else "its covariance"
                    shown.append(Equation(what, _equation(left, "=", entry)))
        return shown


def _sum(right: Expression) -> tuple[str, ...]:
    """An expression; a long sum in pieces."""
    return tuple(terms(right.tree) if len(right.text) > BREAK_AFTER else [expression(right.tree)])


def _equation(left: str, sign: str, right: Expression) -> tuple[str, ...]:
    """An equation; a long sum in pieces."""
    first, *others = _sum(right)
    return (row(left, operator(sign), first), *others)
