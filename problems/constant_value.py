"""The value of an expression without variables, where a problem file takes a number; nothing is executed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from wpoflow.problems.expressions import CONSTANTS, Expression
from wpoflow.problems.scope import Scope

if TYPE_CHECKING:
    import numpy as np

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def constant_value(expression: Expression, scope: Scope) -> float:
    """Value of a checked expression in constants and in definitions of constants, by the language's arithmetic."""
    import numpy as np  # which no other check of a file needs

    known = {name: np.float64(value) for name, value in (CONSTANTS | dict(scope.constants)).items()}
    with np.errstate(all="ignore"):
        for name in scope.definitions_used(expression):
            known[name] = _value(scope.definitions[name].tree, known)
        return float(_value(expression.tree, known))


def _value(node: ast.expr, known: dict[str, np.float64]) -> np.float64:
    import numpy as np

    def value(part: ast.expr) -> np.float64:
        return _value(part, known)

    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(op=sign, left=left, right=right):
            return np.float64(_BINARY[type(sign)](value(left), value(right)))
        case ast.UnaryOp(op=sign, operand=operand):
            found = value(operand)
            if isinstance(sign, ast.Not):
                return found if np.isnan(found) else np.float64(found == 0.0)
            return -found if isinstance(sign, ast.USub) else found
        case ast.BoolOp(op=word, values=values):
            return _joined([value(part) for part in values], 0.0 if isinstance(word, ast.And) else 1.0)
        case ast.Compare(left=left, ops=signs, comparators=others):
            numbers = [value(part) for part in (left, *others)]
            pairs = zip(signs, numbers, numbers[1:], strict=False)
            return _joined([_compared(type(sign), a, b) for sign, a, b in pairs], 0.0)
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return np.float64(_called(function, [value(part) for part in arguments]))
    raise AssertionError(f"{type(node).__name__} passed the whitelist")


def _compared(sign: type[ast.cmpop], left: np.float64, right: np.float64) -> np.float64:
    import numpy as np

    return np.float64(np.nan if np.isnan(left) or np.isnan(right) else _COMPARE[sign](left, right))


def _joined(conditions: Sequence[np.float64], decisive: float) -> np.float64:
    """All of the conditions, of which one that is 0 decides; or any, of which one that is not. Else nan, if one is."""
    import numpy as np

    known = [float(condition != 0.0) for condition in conditions if not np.isnan(condition)]
    if decisive in known:
        return np.float64(decisive)
    return np.float64(1.0 - decisive if len(known) == len(conditions) else np.nan)


def _called(name: str, arguments: list[np.float64]) -> Any:
    import numpy as np

    match name, arguments:
        case "where", [condition, chosen, other]:
            return condition if np.isnan(condition) else chosen if condition != 0.0 else other
        case "clip", [number, lower, upper]:
            return np.minimum(np.maximum(number, lower), upper)
        case "min", _:
            return reduce(np.minimum, arguments)
        case "max", _:
            return reduce(np.maximum, arguments)
    return getattr(np, name)(*arguments)
