"""The expression language: what it computes, what it refuses, and that nothing else gets through."""

from __future__ import annotations

import ast
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.problems.evaluator import evaluate
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.constant_value import constant_value
from wpoflow.problems.expressions import ARGUMENTS, MAX_DEPTH, ExpressionError, parse_expression, valid_name
from wpoflow.problems.generated import compile_expressions
from wpoflow.problems.scope import Scope

AXES = ("x", "u")
EDGE = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 7.25, 0.1, 1e-300, 1e300, np.inf, -np.inf, np.nan]
X, U = (grid.ravel() for grid in np.meshgrid(EDGE, EDGE))


def compute(text: str, x: ArrayLike = X, u: ArrayLike = U, scope: Scope | None = None) -> FloatArray:
    scope = scope or Scope()
    names = [*AXES, *scope.constants, *scope.definitions]
    return compile_expressions(scope, {"e": (parse_expression(text, names), AXES)})["e"](np.asarray(x), np.asarray(u))


def interpreted(text: str) -> FloatArray:
    """The generated loop run by Python itself: the same code without the compiler."""
    expression = parse_expression(text, AXES)
    namespace = {"np": np}
    exec(Scope().source("f", expression, AXES), namespace)
    out = np.empty(X.size)
    with np.errstate(all="ignore"):
        namespace["f"](X, U, out)  # type: ignore[operator]
    return out


numbers = st.sampled_from(["0", "1", "2.5", "1e-3", "7", "x", "u", "pi"])


def exact(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Operations that IEEE arithmetic defines to the last bit."""
    pair = st.tuples(inner, inner)
    comparison = st.builds(
        lambda p, op: f"({p[0]} {op} {p[1]})", pair, st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    )
    condition = st.one_of(
        comparison,
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} and {} and {})".format, comparison, inner, inner),
        st.builds("({} or {} or {})".format, inner, comparison, inner),
        st.builds("(not {})".format, inner),
    )
    return st.one_of(
        st.builds(lambda p, op: f"({p[0]} {op} {p[1]})", pair, st.sampled_from(["+", "-", "*", "/", "//", "%"])),
        st.builds(lambda a, f: f"{f}({a})", inner, st.sampled_from(["abs", "sign", "floor", "-", "+", "sqrt"])),
        st.builds(lambda p, f: f"{f}({p[0]}, {p[1]})", pair, st.sampled_from(["min", "max"])),
        st.builds("min({}, {}, {})".format, inner, inner, inner),
        st.builds("clip({}, {}, {})".format, inner, inner, inner),
        st.builds("where({}, {}, {})".format, condition, inner, inner),
        condition,
    )


@given(st.recursive(numbers, exact, max_leaves=12))
@settings(max_examples=200, deadline=None)
def test_generated_code_agrees_with_numpy_bit_for_bit(text: str) -> None:
    np.testing.assert_array_equal(interpreted(text), np.broadcast_to(evaluate(text, {"x": X, "u": U}), X.shape))


@given(st.recursive(numbers, exact, max_leaves=12), st.sampled_from(np.flatnonzero(np.isfinite(X)).tolist()))
@settings(max_examples=300, deadline=None)
def test_the_value_of_constants_is_that_of_the_generated_code(text: str, place: int) -> None:
    second = f"{float(U[place])!r}" if np.isfinite(U[place]) else "0/0"
    scope = Scope({"x": float(X[place])}, {"u": parse_expression(second, ())})
    expression = parse_expression(text, AXES)
    out = np.empty(1)
    namespace: dict[str, Any] = {"np": np}
    exec(scope.source("f", expression, ()), namespace)
    with np.errstate(all="ignore"):
        namespace["f"](out)
    np.testing.assert_array_equal(constant_value(expression, scope), out[0])


@given(st.lists(st.recursive(numbers, exact, max_leaves=12), min_size=6, max_size=6))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_compiled_code_agrees_with_numpy_bit_for_bit(texts: list[str]) -> None:
    wanted = {text: (parse_expression(text, AXES), AXES) for text in texts}
    for text, function in compile_expressions(Scope(), wanted).items():
        np.testing.assert_array_equal(function(X, U), np.broadcast_to(evaluate(text, {"x": X, "u": U}), X.shape))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_function_has_its_value_of_constants(name: str) -> None:
    text = f"{name}({', '.join(['0.5', '2', '-1'][: ARGUMENTS[name][0]])})"
    assert constant_value(parse_expression(text, ()), Scope()) == interpreted(text)[0]


def test_conditions_have_their_values_of_constants() -> None:
    for text in (
        "not 0",
        "not 3",
        "1 and 0",
        "1 and 2",
        "0 or 0",
        "0 or 7",
        "1 < 2 < 3",
        "1 < 3 < 2",
        "2 ** -1",
        "-(2 % 3)",
    ):
        assert constant_value(parse_expression(text, ()), Scope()) == interpreted(text)[0]


def test_every_operation_compiles_to_what_numpy_computes() -> None:
    texts = [f"x {op} u" for op in ("+", "-", "*", "/", "//", "%")] + ["-x", "+x", "x**2 + u**2"]
    texts += [f"1.0*(x {op} u)" for op in ("<", "<=", ">", ">=", "==", "!=")]
    texts += [
        f"{name}({', '.join(['x', 'u', 'x + u'][: 3 if least == 3 else least])})"
        for name, (least, _) in ARGUMENTS.items()
        if name != "where"
    ]
    texts += ["x**u", "where(x > u, x, u)", "max(x, u, 0, -x)"]
    wanted = {text: (parse_expression(text, AXES), AXES) for text in texts}
    for text, function in compile_expressions(Scope(), wanted).items():
        expected = evaluate(text, {"x": X, "u": U})
        np.testing.assert_allclose(function(X, U), expected, rtol=4e-15, err_msg=text)


def test_conditions_are_numbers_and_numbers_are_conditions() -> None:
    x, u = np.array([0.0, 0.0, 2.0, -3.0]), np.array([0.0, 1.0, 0.0, 5.0])
    wanted = {
        "x and u": (x != 0) & (u != 0),
        "x or u": (x != 0) | (u != 0),
        "not x": x == 0,
        "not x < u": ~(x < u),
        "-1 < x <= 2 < 4": (x > -1) & (x <= 2),
        "(x > 0) + (u > 0)*2": (x > 0) + 2.0 * (u > 0),
        "where(x, 1, 2)": np.where(x != 0, 1.0, 2.0),
        "x > 0": x > 0,
    }
    functions = compile_expressions(Scope(), {text: (parse_expression(text, AXES), AXES) for text in wanted})
    for text, expected in wanted.items():
        np.testing.assert_array_equal(functions[text](x, u), expected.astype(np.float64), err_msg=text)


def test_a_comparison_with_no_number_hands_it_on_unless_it_does_not_matter() -> None:
    """Else a root of a negative number would be a state where nothing costs, or where the process does not end."""
    x = np.array([-1.0, 4.0])
    for text, expected in {
        "log(x) > 1": [np.nan, 1.0],
        "not log(x) > 1": [np.nan, 0.0],
        "0 < log(x) < 9": [np.nan, 1.0],
        "log(x) != log(x)": [np.nan, 0.0],
        "where(log(x) > 1, 2, 3)": [np.nan, 2.0],
        "where(log(x), 2, 3)": [np.nan, 2.0],
        "x > 0 and log(x) > 1": [0.0, 1.0],
        "log(x) > 1 and x > 0": [0.0, 1.0],
        "x < 0 or log(x) > 1": [1.0, 1.0],
        "x > 0 or log(x) > 1": [np.nan, 1.0],
        "x < 0 and log(x) > 1": [np.nan, 0.0],
        "where(x > 0, log(x) > 1, 0)": [0.0, 1.0],
        "1/(x + 1) > 2": [1.0, 0.0],
    }.items():
        np.testing.assert_array_equal(compute(text, x, x), expected, err_msg=text)


def test_constants_and_definitions_stand_for_their_values() -> None:
    names = ["x", "u", "k"]
    first = parse_expression("k*x + u", names)
    second = parse_expression("first*first - 1", [*names, "first"])
    scope = Scope({"k": 0.3}, {"first": first, "second": second})
    x, u = np.linspace(-2, 2, 9)[:, None], np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(compute("second + k", x, u, scope), ((0.3 * x + u) ** 2 - 1) + 0.3)
    assert scope.variables(parse_expression("second", ["second"])) == {"x", "u"}


def test_definitions_that_double_themselves_stay_linear_in_size() -> None:
    definitions = {"d0": parse_expression("x + x", AXES)}
    for n in range(1, 60):
        definitions[f"d{n}"] = parse_expression(f"d{n - 1} + d{n - 1}", [f"d{n - 1}"])
    scope = Scope({}, definitions)
    assert len(scope.source("f", parse_expression("d59", ["d59"]), ["x"]).splitlines()) < 100
    nested = "x"
    for _ in range(20):
        nested = f"(0 < {nested} < 1)"
    source = Scope().source("f", parse_expression(nested, AXES), ["x"])
    assert len(source.splitlines()) <= 4 + 3 * 20  # true, unknown, and as a number
    assert max(map(len, source.splitlines())) < 200


def test_constant_expressions_are_not_compiled() -> None:
    scope = Scope({"k": 2.0})
    wanted = {text: (parse_expression(text, ["k"]), AXES) for text in ("k**3 - 1", "1/0", "0*log(-1) + 1", "3 > 2")}
    functions = compile_expressions(scope, wanted)
    assert [function.constant for function in functions.values()][:2] == [7.0, np.inf]
    assert all(function.fill is None for function in functions.values())
    np.testing.assert_array_equal(functions["3 > 2"](np.zeros((2, 1)), np.zeros(3)), np.ones((2, 3)))


def test_arguments_broadcast_and_integers_are_accepted() -> None:
    result = compute("x*10 + u", np.arange(3)[:, None], np.arange(4))
    np.testing.assert_array_equal(result, 10.0 * np.arange(3)[:, None] + np.arange(4))
    assert result.dtype == np.float64
    assert compute("x", np.zeros((0, 2)), np.zeros((0, 2))).shape == (0, 2)


REFUSED = {
    "x.real": "Attribute",
    "x[0]": "Subscript",
    "[x]": "List",
    "{x: 1}": "Dict",
    "[x for x in u]": "ListComp",
    "lambda: x": "Lambda",
    "x if u else 1": "where(condition, a, b)",
    "'text'": "a text can only be compared",
    "f'{x}'": "JoinedStr",
    "1j": "Constant",
    "True": "Constant",
    "None": "Constant",
    "...": "Constant",
    "x is u": "Compare",
    "x in u": "Compare",
    "x @ u": "BinOp",
    "x << 1": "BinOp",
    "x & u": "write and, or",
    "~x": "write not",
    "(x, u)": "Tuple",
    "(y := x)": "NamedExpr",
    "clip(x, lo=0, hi=1)": "Call",
    "sin(x)(u)": "Call",
    "__import__('os').system('true')": "Call",
    "().__class__.__bases__": "Attribute",
    "min(*x)": "starred",
    "min(x)": "at least 2",
    "clip(x, 0)": "3 arguments",
    "foo(x)": "not a function here; functions are sin",
    "y + 1": "not a name here; names are pi, x, u",
    "sin": "needs arguments",
    "x +": "does not parse",
    "x u": "does not parse",
    "x = 1": "does not parse",
    "import os": "does not parse",
    "": "empty",
    "  \n ": "empty",
    "x # y": "does not belong",
    "x\0": "does not belong",
    "é": "does not belong",
    "𝐱": "does not belong",
    "1e999": "too large",
    "1" + "0" * 400: "too large",
    "9" * 5000: "does not parse",
    "-" * 9000 + "1": "too deeply",
    "(" * 4000 + "1" + ")" * 4000: "does not parse",
    "1" + "**1" * 3000: "too deeply",
    "1" + "+1" * 3000: "too deeply",
    "+".join(["1"] * 6000): "at most 10000",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:20]))
def test_everything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, AXES)
    message = str(caught.value)
    assert REFUSED[text] in message
    assert "\n" not in message
    assert len(message) < 600


def test_depth_limit_is_where_it_says() -> None:
    parse_expression("-" * (MAX_DEPTH - 1) + "x", AXES)
    with pytest.raises(ExpressionError, match="too deeply"):
        parse_expression("-" * MAX_DEPTH + "x", AXES)


@given(st.text(alphabet=st.sampled_from("xu01.+-*/%<>=()[]{}'\",:; \nandortflm_eE#@\\\0é"), max_size=40))
@settings(max_examples=500, deadline=None)
def test_no_text_raises_anything_else(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            expression = parse_expression(text, AXES)
        except ExpressionError:
            return
    allowed = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant)
    other = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
    assert all(isinstance(node, allowed + other) for node in ast.walk(expression.tree))
    ast.parse(Scope().source("f", expression, AXES))


@pytest.mark.parametrize("name", ["x", "theta_1", "_a", "Gain"])
def test_valid_names(name: str) -> None:
    assert valid_name(name)


@pytest.mark.parametrize("name", ["sin", "pi", "lambda", "and", "1x", "a b", "é", "", "x.y", "where"])
def test_invalid_names(name: str) -> None:
    assert not valid_name(name)
