"""A second, independent reading of the expression language: Python's own evaluation on NumPy arrays."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from wpoflow.core.arrays import FloatArray


def _fold(ufunc: np.ufunc) -> Callable[..., object]:
    return lambda *values: reduce(ufunc, values)


_KNOWN = {"Lt": np.less, "LtE": np.less_equal, "Gt": np.greater, "GtE": np.greater_equal}
_KNOWN |= {"Eq": np.equal, "NotEq": np.not_equal}


def _compare(name: str, left: FloatArray, right: FloatArray) -> FloatArray:
    """1 or 0; nan where one side is."""
    return np.where(np.isnan(left) | np.isnan(right), np.nan, _KNOWN[name](left, right))


def _any(*conditions: FloatArray) -> FloatArray:
    """1 if one is true, whatever the others are; nan if one of the others is nan."""
    found = [np.where(np.isnan(condition), np.nan, condition != 0.0) for condition in conditions]
    return reduce(lambda a, b: np.where((a == 1.0) | (b == 1.0), 1.0, a + b), found)


def _not(condition: FloatArray) -> FloatArray:
    return np.where(np.isnan(condition), np.nan, condition == 0.0)


def _all(*conditions: FloatArray) -> FloatArray:
    return _not(_any(*map(_not, conditions)))


def _where(condition: FloatArray, chosen: FloatArray, other: FloatArray) -> FloatArray:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0.0, chosen, other))


NAMES: dict[str, object] = {
    "pi": np.float64(math.pi),
    "abs": np.abs,
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
    "clip": lambda value, lower, upper: np.minimum(np.maximum(value, lower), upper),
    "where": _where,
    "COMPARE": _compare,
    "ANY": _any,
    "ALL": _all,
    "NOT": _not,
    **{
        name: getattr(np, name)
        for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "arctan2", "sign", "floor")
    },
}


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _NumPys(ast.NodeTransformer):
    """Literals become NumPy numbers, since Python's own raise on division by zero, and conditions functions."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return _call("float64", node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        pairs = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
        return _call("ALL", *(_call("COMPARE", ast.Constant(type(op).__name__), a, b) for a, op, b in pairs))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        return _call("ALL" if isinstance(node.op, ast.And) else "ANY", *node.values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return _call("NOT", node.operand) if isinstance(node.op, ast.Not) else node


def evaluate(text: str, values: Mapping[str, FloatArray]) -> FloatArray:
    """Value of a trusted expression."""
    tree = ast.fix_missing_locations(_NumPys().visit(ast.parse(text, mode="eval")))
    scope = NAMES | dict(values) | {"float64": np.float64, "__builtins__": {}}
    with np.errstate(all="ignore"):
        return np.asarray(eval(compile(tree, "expression", "eval"), scope), dtype=np.float64)
