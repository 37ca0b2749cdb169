"""Expressions in MathML: read back from the elements they have the value of the file's expression."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wpoflow.problems.expressions import parse_expression
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.views.mathml import THIN_SPACE, condition, expression, symbol, terms
from wpoflow.views.problem_math import equations, remarks, written_out

NAMES = {"x": Fraction(3, 7), "gain": Fraction(-5, 3), "theta": Fraction(11, 13)}
SIGNS = {"−": "-", "⋅": "*", "·": "*", "\u2062": "*", "\u2061": ""}


def numbers() -> st.SearchStrategy[str]:
    leaves = st.sampled_from([*NAMES, "2", "3", "10"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("({} - {})".format, inner, inner),
            st.builds("({} + {})".format, inner, inner),
            st.builds("({} {} {})".format, inner, st.sampled_from("*/"), inner),
            st.builds("({}**{})".format, inner, st.sampled_from(["2", "3"])),
            st.builds("(-{})".format, inner),
        ),
        max_leaves=12,
    )


def read_back(element: ElementTree.Element) -> str:
    """What a reader would make of an element, in Python: products bind tighter than sums, powers tighter still."""
    children = [read_back(child) for child in element]
    match element.tag:
        case "mo" | "mi" | "mn":
            return {**SIGNS, "θ": "theta"}.get(element.text or "", element.text or "")
        case "mfrac":
            return f"(({children[0]})/({children[1]}))"
        case "msup":
            assert element[0].tag != "mfrac", "a bare fraction with an exponent can be misread"
            return f"{children[0]}**({children[1]})"
        case "mrow" | "mspace":
            return "".join(children)
    raise AssertionError(element.tag)


class Exact(ast.NodeTransformer):
    """Makes every number a fraction."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Call(ast.Name("F", ast.Load()), [node], [])


def evaluated(text: str) -> Fraction:
    tree = ast.fix_missing_locations(Exact().visit(ast.parse(text, mode="eval")))
    value: Fraction = eval(compile(tree, "", "eval"), {"F": Fraction, **NAMES})
    return value


def shown(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(expression(parse_expression(text, NAMES).tree))


BRACKETED = ("x - (gain + 2)", "x - (-gain)", "x*(gain - 2)", "(x + 2)*gain", "2*(-x)", "x*(gain*3)", "-(x + 2)")
RAISED = ("(-x)**2", "(x/2)**2", "(x**2)**3", "(x*gain)**2", "-x**2", "2*3**2", "x**2*3", "2**(x - x)", "x/(gain/2)")


@pytest.mark.parametrize("text", [*BRACKETED, *RAISED])
def test_brackets_stand_where_they_must(text: str) -> None:
    assert evaluated(read_back(shown(text))) == evaluated(text)
    assert not re.search("\u2062[0-9]", "".join(shown(text).itertext())), "two numbers run together"


@given(numbers())
def test_what_is_read_is_what_the_file_says(text: str) -> None:
    try:
        value = evaluated(text)
    except ZeroDivisionError:
        assume(False)
    assert evaluated(read_back(shown(text))) == value


@given(numbers())
def test_a_broken_sum_is_the_same_sum(text: str) -> None:
    tree = parse_expression(text, NAMES).tree
    pieces = "".join(read_back(ElementTree.fromstring(piece)) for piece in terms(tree))
    whole = read_back(ElementTree.fromstring(expression(tree)))
    assert pieces == whole


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("where(x > 1, x, 0)", ["<mtext>otherwise</mtext>", "<mo>&gt;</mo>"]),
        ("(x <= 1)*x", [">[</mo>", "<mo>≤</mo>", ">]</mo>"]),
        ("abs(x) + floor(x)", [">|</mo>", ">⌊</mo>", ">⌋</mo>"]),
        ("x // 2 + x % 3", ["<mfrac>", ">mod</mo>"]),
        ("sqrt(x) + log(x) + arctan2(x, 1)", ["<msqrt>", "<mi>ln</mi>", "<mi>atan2</mi>"]),
        ("1e-05*x", ["<mn>1</mn>", "<mn>10</mn>", "<mo>−</mo><mn>5</mn>"]),
        ("pi*theta", ["<mi>π</mi>", "<mi>θ</mi>"]),
    ],
)
def test_every_sign_has_its_element(text: str, needed: list[str]) -> None:
    written = expression(parse_expression(text, NAMES).tree)
    ElementTree.fromstring(written.replace("&#160;", " "))
    for part in needed:
        assert part in written


def test_conditions() -> None:
    tree = parse_expression("not (x > 1 and gain < 2) or 0 < x != 2", NAMES).tree
    text = "".join(ElementTree.fromstring(condition(tree)).itertext())
    assert text == "(¬(x>1∧gain<2))∨0<x≠2"


@pytest.mark.parametrize(
    ("name", "text"), [("x_1", "x1"), ("theta_dot", "θdot"), ("v2", "v2"), ("to_goal", "to_goal"), ("discount", "γ")]
)
def test_names(name: str, text: str) -> None:
    assert "".join(ElementTree.fromstring(symbol(name)).itertext()) == text


@pytest.mark.parametrize("name", gallery_names())
def test_the_gallery_is_stated_in_full(name: str) -> None:
    problem = read_problem(name)
    stated = equations(problem)
    for equation in stated:
        for piece in equation.pieces:
            ElementTree.fromstring(piece.replace("&#160;", " "))
    words = [equation.what for equation in stated]
    tables = problem.tables
    assert words.count("with") == len(tables.definitions)
    assert words.count("next state") == len(tables.state) * max(1, len(tables.outcome))
    assert {"running cost", "reference measure", "first policy"} <= set(words)
    assert tables.cost is not None
    assert ("the process ends when the next state has" in words) == (tables.cost.terminal_set is not None)
    noisy = bool(tables.noise) or any(outcome.noise for outcome in tables.outcome)
    assert any("normal variables" in remark for remark in remarks(stated)) == noisy


def test_a_gaussian_first_policy_is_stated_by_its_moments() -> None:
    stated = equations(read_problem("mixture"))
    one = [equation for equation in stated if equation.what in ("first policy", "its covariance")]
    shown = ["".join("".join(ElementTree.fromstring(p).itertext()) for p in equation.pieces) for equation in one]
    assert shown == ["m=0", "C=0.5"]


def test_noise_stands_outside_of_cases_and_sums() -> None:
    problem = read_problem("lqr", set={"dynamics.x": '"where(x > 0, x, u)"', "noise.x": '"0.1 + 0.1*x**2"'})
    (found,) = [equation for equation in equations(problem) if equation.what == "next state"]
    mean, kick = ("".join(ElementTree.fromstring(p.replace("&#160;", " ")).itertext()) for p in found.pieces)
    assert mean == "x′=({xif x>0uotherwise)"
    assert kick.replace("\u2062", "") == "+(0.1+0.1x2)ξx"


def test_a_long_sum_can_be_broken() -> None:
    cost = " + ".join(f"{k}*sin({k}*u)" for k in range(1, 9))
    text = (
        "[problem]\ndiscount = 0.9\ntemperature = 1.0\n[action.u]\nbounds = [0.0, 1.0]\ncells = 4\n"
        f'[cost]\nrunning = "{cost}"\n[flow]\nuntil = 1.0\n'
    )
    (found,) = [equation for equation in equations(parse_problem(text)) if equation.what == "running cost"]
    assert len(found.pieces) == 8


OWN_NAMES = """
[problem]
discount = 0.8
temperature = 0.5
[constants]
tau = 0.3
x1 = 1.0
x_1 = 2.0
gain = 0.1
P2 = 0.1
[definitions]
V = "h**2 + x1 - x_1"
[state.h]
bounds = [-2.0, 2.0]
cells = 9
[state.mu]
bounds = [-2.0, 2.0]
cells = 9
[action.t]
bounds = [-2.0, 2.0]
cells = 9
[dynamics]
h = "0.5*h + gain*t + tau"
mu = "0.5*mu"
[noise]
h = 0.3
[cost]
running = "V + t**2 + P2"
[flow]
until = { time = 1.0 }
"""
ONE_AXIS = """
[problem]
discount = 0.8
temperature = 0.5
[state.NAME]
bounds = [-2.0, 2.0]
cells = 9
[action.u]
bounds = [-2.0, 2.0]
cells = 9
[dynamics]
NAME = "0.5*NAME"
[cost]
running = "NAME**2"
[flow]
until = { time = 1.0 }
"""


def test_names_of_the_problem_are_no_symbols_of_the_report() -> None:
    """Every italic letter of the statement has one meaning; what is spelled is named below."""
    problem = parse_problem(OWN_NAMES)
    spelled = written_out(problem)
    assert spelled == ("h", "mu", "t", "tau", "x1", "x_1", "P2", "V")
    stated = equations(problem)
    pieces = "".join(piece for equation in stated for piece in equation.pieces)
    assert pieces.count("<mi>τ</mi>") == 1  # the temperature
    assert pieces.count("<mi>μ</mi>") == 1  # the reference measure
    for letter in ("h", "t", "V"):
        assert f"<mi>{letter}</mi>" not in pieces
    for name in spelled:
        assert f"<mi mathvariant='normal'>{name}</mi>" in pieces
    assert "<mi mathvariant='normal'>h</mi><mo>′</mo>" in pieces
    assert "<msub><mi>ξ</mi><mi mathvariant='normal'>h</mi></msub>" in pieces
    assert remarks(stated, spelled)[-1].endswith(": h, mu, t, tau, x1, x_1, P2, V.")
    assert all("Upright" not in sentence for sentence in remarks(stated))


@pytest.mark.parametrize("name", ["tau", "gamma", "V", "Q", "mu", "t", "kappa", "alpha", "h", "c", "d", "e", "xi"])
def test_a_state_axis_of_any_name_can_be_told_apart(name: str) -> None:
    """All that a statement with an axis x shows is there: five times the axis's own sign, and the report's as often."""
    own, other = (parse_problem(ONE_AXIS.replace("NAME", axis)) for axis in (name, "x"))
    assert written_out(own) == (name,)
    assert written_out(other) == ()
    shown, like = ("".join(piece for equation in equations(problem) for piece in equation.pieces)
                   for problem in (own, other))  # fmt: skip
    assert like.count("<mi>x</mi>") == 6
    sign = f"<mi mathvariant='normal'>{name}</mi>"
    # a word after a number is set off by a thin space
    assert shown.replace(f"{THIN_SPACE}{sign}", sign).replace(sign, "<mi>x</mi>") == like


@pytest.mark.parametrize("name", ["x", "v2", "theta", "tau_x", "gain", "level", "s"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert written_out(parse_problem(ONE_AXIS.replace("NAME", name))) == ()
