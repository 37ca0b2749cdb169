"""Expressions of problem files as MathML, which browsers typeset without any script.

The checked syntax tree of `problems.expressions` is walked; its text is not looked at.  A comparison that counts as a
number is put in Iverson brackets [...], ``where`` becomes a brace with two cases, quotients become fractions, and names
are set as mathematicians write them: Greek letters, subscripts after an underscore or for trailing digits.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from html import escape

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "pi": "π",
}  # fmt: skip
SYMBOLS = {"discount": "γ", "temperature": "τ"}
FUNCTIONS = {"log": "ln", "arctan2": "atan2", "sign": "sgn"}
FENCES = {"abs": ("|", "|"), "floor": ("⌊", "⌋")}
_FENCE = "<mo fence='true' stretchy='true' form='{}'>{}</mo>"
IVERSON, CLOSING = _FENCE.format("prefix", "["), _FENCE.format("postfix", "]")
BINARY: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "−"}
RELATIONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "≤",
    ast.Gt: ">",
    ast.GtE: "≥",
    ast.Eq: "=",
    ast.NotEq: "≠",
}
SUM, SIGN, PRODUCT, POWER, ATOM = range(5)
"""How tightly a part binds."""

INVISIBLE_TIMES = "\u2062"
THIN_SPACE = "<mspace width='0.17em'/>"
WORD = "word "
"""Before a name that is to be written out: no name of a problem holds a blank."""
_NAME = re.compile(rf"({'|'.join(GREEK)}|[A-Za-z])(\d*)(?:_(\w+))?", re.ASCII)


def operator(text: str) -> str:
    """A sign between or before operands."""
    return f"<mo>{escape(text)}</mo>"


def row(*parts: str) -> str:
    """Parts side by side, as one."""
    return f"<mrow>{''.join(parts)}</mrow>"


def fenced(inside: str, left: str = "(", right: str = ")") -> str:
    """Something in brackets that grow with it."""
    return row(_FENCE.format("prefix", left), inside, _FENCE.format("postfix", right))


def listed(parts: Sequence[str]) -> str:
    """Parts with commas between them."""
    return operator(",").join(parts)


def symbol(name: str) -> str:
    """A name of the problem; digits after a letter, and what follows an underscore, are subscripts.

    A name behind `WORD` stands upright as it is spelled.
    """
    if name.startswith(WORD):
        return f"<mi mathvariant='normal'>{escape(name.removeprefix(WORD))}</mi>"
    if name in SYMBOLS:
        return f"<mi>{SYMBOLS[name]}</mi>"
    found = _NAME.fullmatch(name)
    if found is None:  # a word
        return f"<mi mathvariant='normal'>{escape(name)}</mi>"
    base, digits, below = found.groups()
    letter = f"<mi>{GREEK.get(base, base)}</mi>"
    subscripts = [f"<mn>{digits}</mn>"] if digits else []
    subscripts += [f"<mi>{GREEK.get(part, escape(part))}</mi>" for part in (below or "").split("_") if part]
    return f"<msub>{letter}{row(listed(subscripts))}</msub>" if subscripts else letter


def primed(name: str) -> str:
    """The next value of an axis."""
    return f"<msup>{symbol(name)}<mo>′</mo></msup>"


def number(value: float) -> str:
    """A number; powers of ten written as such."""
    digits, has_exponent, exponent = f"{value!r}".removesuffix(".0").partition("e")
    sign, digits = ("−", digits[1:]) if digits.startswith("-") else ("", digits)
    shown = f"<mn>{digits.removesuffix('.0')}</mn>"
    if has_exponent:
        power = int(exponent)
        lifted = f"<mn>{power}</mn>" if power >= 0 else row(operator("−"), f"<mn>{-power}</mn>")
        shown = row(shown, operator("·"), f"<msup><mn>10</mn>{lifted}</msup>")
    return row(operator(sign), shown) if sign else shown


def expression(tree: ast.expr) -> str:
    """An expression that is a number."""
    return _number(tree)[0]


def condition(tree: ast.expr) -> str:
    """An expression that is true or false."""
    match tree:
        case ast.BoolOp(op=word, values=values):
            sign = operator("∧" if isinstance(word, ast.And) else "∨")
            return row(sign.join(_clause(value) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return row(operator("¬"), _clause(inner))
        case ast.Compare(left=left, ops=relations, comparators=others):
            parts = [_number(left)[0]]
            for relation, other in zip(relations, others, strict=True):
                parts += [operator(RELATIONS[type(relation)]), _number(other)[0]]
            return row(*parts)
    return row(_number(tree)[0], operator("≠"), "<mn>0</mn>")


def terms(tree: ast.expr) -> list[str]:
    """The summands of an expression, their signs before them, so that a long sum can be broken between them."""
    if isinstance(tree, ast.BinOp) and type(tree.op) in BINARY:
        left = tree.left
        is_sum = isinstance(left, ast.BinOp) and type(left.op) in BINARY
        first = terms(left) if is_sum else [operand(left, SIGN)]
        return [*first, row(f"<mo form='infix'>{BINARY[type(tree.op)]}</mo>", operand(tree.right, PRODUCT))]
    return [expression(tree)]


def _clause(tree: ast.expr) -> str:
    joined = isinstance(tree, ast.BoolOp) or (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not))
    return fenced(condition(tree)) if joined else condition(tree)


def _is_condition(tree: ast.expr) -> bool:
    negation = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    return isinstance(tree, ast.Compare | ast.BoolOp) or negation


def operand(tree: ast.expr, least: int) -> str:
    """A part, in brackets if it binds less tightly than it must."""
    shown, binding = _number(tree)
    return shown if binding >= least else fenced(shown)


def _number(tree: ast.expr) -> tuple[str, int]:
    """A part that is a number, and how tightly it binds."""
    if _is_condition(tree):
        return row(IVERSON, condition(tree), CLOSING), ATOM
    match tree:
        case ast.Constant(kind=str() as label):
            return f"<mtext>{escape(label)}</mtext>", ATOM
        case ast.Constant(value=int() | float() as value):
            return number(value), ATOM if "e" not in repr(value) else PRODUCT
        case ast.Name(id=name):
            return symbol(name), ATOM
        case ast.UnaryOp(op=sign, operand=inner):
            shown = operator("−" if isinstance(sign, ast.USub) else "+")
            return row(shown, operand(inner, PRODUCT)), SIGN
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return row(*terms(tree)), SUM
        case ast.BinOp(op=sign, left=left, right=right):
            return _product(sign, left, right)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments)
    raise ValueError(f"{type(tree).__name__} is not part of the language of expressions")


def _product(sign: ast.operator, left: ast.expr, right: ast.expr) -> tuple[str, int]:
    match sign:
        case ast.Mult():
            factor = operand(right, POWER)
            return row(operand(left, SIGN), _times(left, right), factor), PRODUCT
        case ast.Div():
            return f"<mfrac>{_number(left)[0]}{_number(right)[0]}</mfrac>", POWER
        case ast.FloorDiv():
            return fenced(f"<mfrac>{_number(left)[0]}{_number(right)[0]}</mfrac>", "⌊", "⌋"), ATOM
        case ast.Mod():
            modulo = "<mo lspace='0.3em' rspace='0.3em'>mod</mo>"
            return row(operand(left, PRODUCT), modulo, operand(right, POWER)), SUM
        case ast.Pow():
            return f"<msup>{operand(left, ATOM)}{_number(right)[0]}</msup>", POWER
    raise ValueError(f"{type(sign).__name__} is not part of the language of expressions")


def _times(left: ast.expr, right: ast.expr) -> str:
    """The sign between two factors: none between a number and what cannot be mistaken for its digits, else a dot."""
    first = right
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Pow):
        first = first.left
    is_sum = isinstance(first, ast.BinOp) and type(first.op) in BINARY
    like_a_number = isinstance(first, ast.Constant | ast.BinOp | ast.UnaryOp) and not is_sum
    if like_a_number or not isinstance(left, ast.Constant):
        return operator("⋅")
    is_word = isinstance(first, ast.Call) or "mathvariant" in expression(first)
    return operator(INVISIBLE_TIMES) + (THIN_SPACE if is_word else "")


def _call(name: str, arguments: Sequence[ast.expr]) -> tuple[str, int]:
    if name == "where":
        chosen, other = (_number(argument)[0] for argument in arguments[1:])
        cases = [(chosen, row("<mtext>if&#160;</mtext>", condition(arguments[0]))), (other, "<mtext>otherwise</mtext>")]
        table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in cases)
        return row(_FENCE.format("prefix", "{"), f"<mtable class='cases'>{table}</mtable>"), SUM
    parts = [_number(argument)[0] for argument in arguments]
    if name == "sqrt":
        return f"<msqrt>{parts[0]}</msqrt>", ATOM
    if name in FENCES:
        return fenced(parts[0], *FENCES[name]), ATOM
    return row(f"<mi>{FUNCTIONS.get(name, name)}</mi>", operator("\u2061"), fenced(listed(parts))), ATOM
