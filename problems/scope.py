"""What names in expressions stand for, and the code of an expression: a loop over the elements of arrays.

The language, and what its operations mean, is described in :mod:`problems.expressions`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wpoflow.problems.expressions import (
    BINARY,
    COMPARE,
    CONSTANTS,
    Expression,
    ExpressionError,
    finite_number,
)


@dataclass(frozen=True)
class Scope:
    """What names in expressions stand for, besides the variables themselves.

    Parameters
    ----------
    constants : mapping of str to float
    definitions : mapping of str to Expression
        In order; each may use constants, variables and earlier definitions.
    labels : mapping of str to sequence of str
        Of the variables that are axes of labels, their labels.
    """

    constants: Mapping[str, float] = field(default_factory=dict)
    definitions: Mapping[str, Expression] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def variables(self, expression: Expression) -> frozenset[str]:
        """Variables the expression depends on, also through definitions."""
        used = (self.definitions[name].names for name in self.definitions_used(expression))
        return expression.names.union(*used).difference(self.definitions, self.constants, CONSTANTS)

    def definitions_used(self, expression: Expression) -> list[str]:
        """Definitions the expression needs, also through others, in their order: each after those it uses."""
        needed = set(expression.names)
        for name in reversed(list(self.definitions)):
            if name in needed:
                needed |= self.definitions[name].names
        return [name for name in self.definitions if name in needed]

    def operations(self, expression: Expression) -> int:
        """Nodes of the expression's syntax tree and of the definitions it needs."""
        used = [self.definitions[name] for name in self.definitions_used(expression)]
        return sum(whole.nodes for whole in (expression, *used))

    def source(self, name: str, expression: Expression, variables: Sequence[str]) -> str:
        """Python source of ``name(v_first, ..., out)``: fills ``out`` element by element."""
        writer = Writer(self)
        for known in self.definitions_used(expression):
            writer.known[known] = writer.value(self.definitions[known].tree)
        result = writer.number(expression.tree)
        body = "".join(f"        {line}\n" for line in writer.lines)
        arrays = "".join(f"v_{variable}, " for variable in variables)
        return f"def {name}({arrays}out):\n    for i in range(out.size):\n{body}        out[i] = {result}\n"


class _Operand(NamedTuple):
    """What holds a value: a name or a literal.

    Attributes
    ----------
    text : str
    condition : bool
        Whether it is one, and ``text`` says whether it is true.
    unknown : str
        Short code, of names: of a condition, whether it is neither true nor false, in which case ``text`` is False; of
        a number, whether it is none. Empty where that cannot be.
    """

    text: str
    condition: bool = False
    unknown: str = ""


class Writer:
    """Writes a tree as straight-line code; each definition is computed once.

    Every operand is a name or a literal, so nothing is evaluated twice and the length of the code
    is linear in that of the expressions.  ``truth`` and ``number`` convert between conditions and
    floats, so that machine code and plain Python agree on types.
    """

    def __init__(self, scope: Scope, prefix: str = "t") -> None:
        self.scope, self.prefix = scope, prefix
        self.lines: list[str] = []
        self.known: dict[str, _Operand] = {}

    def _assign(self, code: str) -> str:
        name = f"{self.prefix}{len(self.lines)}"
        self.lines.append(f"{name} = {code}")
        return name

    def _number(self, code: str) -> _Operand:
        name = self._assign(code)
        return _Operand(name, unknown=f"{name} != {name}")

    def number(self, node: ast.expr) -> str:
        """Operand holding the node's value as a float."""
        return self._as_number(self.value(node)).text

    def _as_number(self, operand: _Operand) -> _Operand:
        if not operand.condition:
            return operand
        if not operand.unknown:
            return _Operand(self._assign(f"np.float64(1.0 if {operand.text} else 0.0)"))
        return self._number(f"np.float64(1.0 if {operand.text} else np.nan if {operand.unknown} else 0.0)")

    def truth(self, node: ast.expr) -> _Operand:
        """Operand holding the node's value as a condition."""
        operand = self.value(node)
        if operand.condition:
            return operand
        return _Operand(self._assign(_compared(operand.text, "!=", "0.0")), True, operand.unknown)

    def value(self, node: ast.expr) -> _Operand:
        """Operand holding the node's value."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return _Operand(f"np.float64({finite_number(value)!r})")
            case ast.Name(id=name):
                return self._named(name)
            case ast.BinOp(op=operator, left=left, right=right):
                return self._number(f"{self.number(left)} {BINARY[type(operator)]} {self.number(right)}")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.truth(operand)
                either = f"({inner.text} or {inner.unknown})" if inner.unknown else inner.text
                return _Operand(self._assign(f"not {either}"), True, inner.unknown)
            case ast.UnaryOp(op=operator, operand=operand):
                return self._number(f"{'-' if isinstance(operator, ast.USub) else '+'}{self.number(operand)}")
            case ast.BoolOp(op=operator, values=values):
                parts = [self.truth(value) for value in values]
                return self._all(parts) if isinstance(operator, ast.And) else self._any(parts)
            case ast.Compare(left=left, ops=operators, comparators=others):
                operands = [self._as_number(self.value(operand)) for operand in (left, *others)]
                pairs = zip(operands, operators, operands[1:], strict=False)
                return self._all([_comparison(a, COMPARE[type(op)], b) for a, op, b in pairs])
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise ExpressionError(f"{type(node).__name__} is not part of the language")

    def _all(self, parts: Sequence[_Operand]) -> _Operand:
        """All of the conditions: unknown where none is false, and not all are true."""
        name = self._assign(" and ".join(part.text for part in parts))
        open_parts = [f"({part.text} or {part.unknown})" if part.unknown else part.text for part in parts]
        return self._doubtful(name, parts, " and ".join(open_parts))

    def _any(self, parts: Sequence[_Operand]) -> _Operand:
        """Any of the conditions: unknown where none is true, and not all are false."""
        name = self._assign(" or ".join(part.text for part in parts))
        return self._doubtful(name, parts, " or ".join(part.unknown for part in parts if part.unknown))

    def _doubtful(self, name: str, parts: Sequence[_Operand], undecided: str) -> _Operand:
        """A condition made of others, with what says that it is unknown."""
        if not any(part.unknown for part in parts):
            return _Operand(name, True)
        if len(parts) == 1:
            return _Operand(name, True, parts[0].unknown)
        return _Operand(name, True, self._assign(f"not {name} and ({undecided})"))

    def _named(self, name: str) -> _Operand:
        if name in self.known:
            return self.known[name]
        constants = CONSTANTS | dict(self.scope.constants)
        if name in constants:
            operand = _Operand(f"np.float64({float(constants[name])!r})")
        else:
            operand = self._number(self.variable(name))
        self.known[name] = operand
        return operand

    def variable(self, name: str) -> str:
        """Where the value of a variable is."""
        return f"v_{name}[i]"

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> _Operand:
        if name == "where":
            condition = self.truth(arguments[0])
            chosen, other = (self.number(argument) for argument in arguments[1:])
            other = f"(np.nan if {condition.unknown} else {other})" if condition.unknown else other
            return self._number(f"{chosen} if {condition.text} else {other}")
        operands = [self.number(argument) for argument in arguments]
        if name == "clip":
            value, lower, upper = operands
            above = self._assign(f"np.maximum({value}, {lower})")
            return self._number(f"np.minimum({above}, {upper})")
        if name in ("min", "max"):
            result = operands[0]
            for operand in operands[1:]:
                result = self._assign(f"np.{name}imum({result}, {operand})")
            return _Operand(result, unknown=f"{result} != {result}")
        return self._number(f"np.{name}({', '.join(operands)})")


def _comparison(left: _Operand, operator: str, right: _Operand) -> _Operand:
    """Of two numbers, not yet under a name."""
    unknown = " or ".join(filter(None, (left.unknown, right.unknown)))
    return _Operand(f"({_compared(left.text, operator, right.text)})", True, f"({unknown})" if unknown else "")


def _compared(left: str, operator: str, right: str) -> str:
    """Code that is false of what is no number, as it is of every operator but ``!=``."""
    return f"{left} < {right} or {left} > {right}" if operator == "!=" else f"{left} {operator} {right}"
