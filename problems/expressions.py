"""The small language of problem files: arithmetic on axis names, constants and definitions.

An expression is parsed by Python's own grammar and then every node of the syntax tree is compared
with a whitelist; what is not listed is refused.  From the checked tree, and from nothing else, a
plain loop over array elements is written out, one assignment per operation, which
:mod:`problems.generated` compiles.  The user's text itself is never executed.

    + - * / // % **    < <= > >= == !=    and or not    where(cond, a, b)
    sin cos tan exp log sqrt abs tanh arctan2 min max clip sign floor    pi

An axis of labels stands for the number of its label, from zero, and is compared with a label by its name in quotes,
``move == "up"`` or ``move != 'up'``, which is replaced by its number where the expression is read.

Problem files add the names ``discount`` and ``temperature``, the values of [problem].

All arithmetic is in float64 with IEEE and NumPy's conventions: 1/0 is inf, 0/0 and log(-1) are nan,
``//`` and ``%`` floor, ``a ** b`` is real (nan for a negative base and a fractional exponent),
``min``, ``max`` and ``clip`` hand on a nan.  A comparison counts as 0 or 1 in arithmetic, and any
number but 0 as true in a condition.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from wpoflow.core.text import did_you_mean, one_line
from wpoflow.core.travel import TravellingError
from wpoflow.problems.label_numbers import WHERE, number_labels

MAX_LENGTH = 10_000
MAX_DEPTH = 50
CONSTANTS = {"pi": math.pi}

_UNARY = ("sin", "cos", "tan", "exp", "log", "sqrt", "abs", "tanh", "sign", "floor")
_MANY = 10**6
ARGUMENTS: dict[str, tuple[int, int]] = dict.fromkeys(_UNARY, (1, 1)) | {
    "arctan2": (2, 2),
    "min": (2, _MANY),
    "max": (2, _MANY),
    "clip": (3, 3),
    "where": (3, 3),
}

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


_QUOTED = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")
_OTHER_NAMES = {
    "ln": "; the natural logarithm is log",
    "log10": "; write log(x)/log(10)",
    "log2": "; write log(x)/log(2)",
    "exp2": "; write 2**x",
    "power": "; powers are written **, as in x**2",
    "pow": "; powers are written **, as in x**2",
    "atan": "; write arctan2(x, 1)",
    "arctan": "; write arctan2(x, 1)",
    "atan2": "; it is called arctan2",
    "fabs": "; it is called abs",
    "ceil": "; write -floor(-x)",
    "round": "; write floor(x + 0.5)",
    "maximum": "; it is called max",
    "minimum": "; it is called min",
    "e": "; write exp(1)",
}
"""What other languages call it, and what it is here."""
_FOREIGN = {
    r"&&|[|]{2}|![^=]": "; conditions are joined by and, or, not",
    r"[?]": "; a choice is written where(condition, a, b)",
    r"(?<![<>=!])=(?!=)": "; equality is written ==",
    r"(?<![\w.])[\d.]+ *[A-Za-df-z_(]|[)] *[\w(]": "; a product is written with *",
}
"""What in a text that does not parse tells what was meant."""


class ExpressionError(TravellingError, ValueError):
    """An expression outside the language; the message is one line naming the offending part."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True)
class Expression:
    """A checked expression: its text, its syntax tree, the names it mentions, and the size of the tree."""

    text: str
    tree: ast.expr = field(repr=False, compare=False)
    names: frozenset[str] = field(repr=False, compare=False)
    nodes: int = field(repr=False, compare=False)


def valid_name(name: str) -> bool:
    """Whether ``name`` can be used in expressions: an ASCII identifier, not a word of the language."""
    word = name in ARGUMENTS or name in CONSTANTS or keyword.iskeyword(name)
    return name.isascii() and name.isidentifier() and not word


def parse_expression(
    text: str, names: Collection[str], labels: Mapping[str, Sequence[str]] | None = None
) -> Expression:
    """Check an expression against the whitelist.

    Parameters
    ----------
    text : str
        The expression; line breaks count as spaces.
    names : collection of str
        Names it may use, besides functions and ``pi``.
    labels : mapping of str to sequence of str, optional
        Of the names that are axes of labels, their labels.

    Raises
    ------
    ExpressionError
        Anything but a finite arithmetic expression in these names.
    """
    text = " ".join(text.split())
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"{_short(text)} is {len(text)} characters long; at most {MAX_LENGTH}")
    if not text:
        raise ExpressionError("the expression is empty")
    bare = _QUOTED.sub("", text) if labels else text  # labels may be of any letters
    foreign = [character for character in bare if character == "#" or not " " <= character <= "~"]
    if foreign:
        raise ExpressionError(f"{foreign[0]!r} in {_short(text)} does not belong to the language")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        hints = (hint for found, hint in _FOREIGN.items() if re.search(found, text))
        raise ExpressionError(f"{_short(text)} does not parse: {error.msg}{next(hints, '')}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{_short(text)} is nested too deeply; at most {MAX_DEPTH} levels") from None
    used: set[str] = set()
    nodes = 0
    pending: list[tuple[ast.expr, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if depth > MAX_DEPTH:
            raise ExpressionError(f"{_short(text)} is nested too deeply; at most {MAX_DEPTH} levels")
        try:
            if isinstance(node, ast.Compare) and (wrong := number_labels(node, labels or {})):
                raise ExpressionError(wrong)
            children = _checked_children(node, names, used)
        except ExpressionError as error:
            part = ast.get_source_segment(text, node) or text
            raise ExpressionError(f"{_short(part)} in {_short(text)}: {error}") from None
        pending.extend((child, depth + 1) for child in children)
    return Expression(text, tree, frozenset(used), nodes)


def _short(text: str, width: int = 60) -> str:
    return repr(text if len(text) <= width else text[: width - 3] + "...")


def _checked_children(node: ast.expr, names: Collection[str], used: set[str]) -> list[ast.expr]:
    """Children still to be checked of a node that is itself allowed; collects the names used."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            _number(value)
            return []
        case ast.Constant(value=str()):
            raise ExpressionError(WHERE)
        case ast.Name(id=name):
            if name not in names and name not in CONSTANTS:
                known = [*CONSTANTS, *names]
                hint = " is a function and needs arguments" if name in ARGUMENTS else " is not a name here"
                near = _OTHER_NAMES.get(name) or did_you_mean(name, known)
                raise ExpressionError(f"{name}{hint}; names are {_listed(known)}{near}")
            used.add(name)
            return []
        case ast.BinOp(op=operator, left=left, right=right) if type(operator) in _BINARY:
            return [left, right]
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() | ast.Not(), operand=operand):
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=operators, comparators=others) if all(type(op) in _COMPARE for op in operators):
            return [left, *others]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in ARGUMENTS:
            least, most = ARGUMENTS[name]
            if any(isinstance(argument, ast.Starred) for argument in arguments):
                raise ExpressionError("starred arguments are not part of the language")
            if not least <= len(arguments) <= most:
                wanted = f"{least}" if least == most else f"at least {least}"
                raise ExpressionError(f"{name} takes {wanted} arguments, not {len(arguments)}")
            return arguments
        case ast.Call(func=ast.Name(id=name)) if name not in ARGUMENTS:
            near = _OTHER_NAMES.get(name) or did_you_mean(name, ARGUMENTS)
            raise ExpressionError(f"{name} is not a function here; functions are {_listed(ARGUMENTS)}{near}")
        case ast.BinOp(op=ast.BitXor()):
            raise ExpressionError("^ is not part of the language; powers are written **, as in x**2")
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            raise ExpressionError("& and | are not part of the language; write and, or")
        case ast.UnaryOp(op=ast.Invert()):
            raise ExpressionError("~ is not part of the language; write not")
        case ast.IfExp():
            raise ExpressionError("a choice is written where(condition, a, b)")
        case ast.Attribute(value=ast.Name(id="np" | "numpy" | "math" as module), attr=name):
            raise ExpressionError(f"functions and constants are written without {module}., as {name}")
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy" | "math" as module), attr=name)):
            raise ExpressionError(f"functions are written without {module}., as {name}(...)")
        case ast.Call(func=ast.Constant() | ast.BinOp() | ast.UnaryOp()):
            raise ExpressionError("a number is no function; a product is written with *")
    raise ExpressionError(
        f"{type(node).__name__} is not part of the language, which has + - * / // % **, comparisons, and or not, "
        f"numbers, names and the functions {_listed(ARGUMENTS)}"
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _number(value: int | float) -> float:
    """The literal as a finite float64."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError("the number is too large for float64")
    return number


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


class Writer:
    """Writes a tree as straight-line code; each definition is computed once.

    Every operand is a name or a literal, so nothing is evaluated twice and the length of the code
    is linear in that of the expressions.  ``truth`` and ``number`` convert between conditions and
    floats, so that machine code and plain Python agree on types.
    """

    def __init__(self, scope: Scope, prefix: str = "t") -> None:
        self.scope, self.prefix = scope, prefix
        self.lines: list[str] = []
        self.known: dict[str, tuple[str, bool]] = {}

    def _assign(self, code: str) -> str:
        name = f"{self.prefix}{len(self.lines)}"
        self.lines.append(f"{name} = {code}")
        return name

    def number(self, node: ast.expr) -> str:
        """Operand holding the node's value as a float."""
        operand, is_truth = self.value(node)
        return self._assign(f"np.float64(1.0 if {operand} else 0.0)") if is_truth else operand

    def truth(self, node: ast.expr) -> str:
        """Operand holding the node's value as a condition."""
        operand, is_truth = self.value(node)
        return operand if is_truth else self._assign(f"{operand} != 0.0")

    def value(self, node: ast.expr) -> tuple[str, bool]:
        """Operand holding the node's value, and whether it is a condition."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return f"np.float64({_number(value)!r})", False
            case ast.Name(id=name):
                return self._named(name)
            case ast.BinOp(op=operator, left=left, right=right):
                return self._assign(f"{self.number(left)} {_BINARY[type(operator)]} {self.number(right)}"), False
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._assign(f"not {self.truth(operand)}"), True
            case ast.UnaryOp(op=operator, operand=operand):
                return self._assign(f"{'-' if isinstance(operator, ast.USub) else '+'}{self.number(operand)}"), False
            case ast.BoolOp(op=operator, values=values):
                word = " and " if isinstance(operator, ast.And) else " or "
                return self._assign(word.join([self.truth(value) for value in values])), True
            case ast.Compare(left=left, ops=operators, comparators=others):
                operands = [self.number(operand) for operand in (left, *others)]
                pairs = zip(operands, operators, operands[1:], strict=False)
                return self._assign(" and ".join(f"{a} {_COMPARE[type(op)]} {b}" for a, op, b in pairs)), True
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments), False
        raise ExpressionError(f"{type(node).__name__} is not part of the language")

    def _named(self, name: str) -> tuple[str, bool]:
        if name in self.known:
            return self.known[name]
        constants = CONSTANTS | dict(self.scope.constants)
        if name in constants:
            operand = (f"np.float64({float(constants[name])!r})", False)
        else:
            operand = (self._assign(self.variable(name)), False)
        self.known[name] = operand
        return operand

    def variable(self, name: str) -> str:
        """Where the value of a variable is."""
        return f"v_{name}[i]"

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> str:
        if name == "where":
            condition = self.truth(arguments[0])
            chosen, other = (self.number(argument) for argument in arguments[1:])
            return self._assign(f"{chosen} if {condition} else {other}")
        operands = [self.number(argument) for argument in arguments]
        if name == "clip":
            value, lower, upper = operands
            above = self._assign(f"np.maximum({value}, {lower})")
            return self._assign(f"np.minimum({above}, {upper})")
        if name in ("min", "max"):
            result = operands[0]
            for operand in operands[1:]:
                result = self._assign(f"np.{name}imum({result}, {operand})")
            return result
        return self._assign(f"np.{name}({', '.join(operands)})")
