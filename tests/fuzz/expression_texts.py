"""Expressions of every sort: well-formed ones, broken ones, and those that mean harm."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from tests.problems.test_expressions import REFUSED

NAMES = ("x", "u", "gain", "push", "pi", "discount", "temperature", "y", "sin", "np", "out", "i", "t0", "v_x")
FUNCTIONS = ("sin", "exp", "log", "sqrt", "abs", "tanh", "sign", "floor", "min", "max", "clip", "where", "arctan2")
BINARY = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", " and ", " or ")
FOREIGN = ("@", "<<", ">>", "|", "&", "^", ":=", " if ", " in ", " is ", ".", ",", ";", "=", "->", "\\", "#", "`", "!")

HARMFUL = (
    *(text for text in REFUSED if len(text) <= 5000),
    "(lambda: x)()",
    "{x for x in (1,)}",
    "(yield x)",
    "(await x)",
    "eval('1')",
    "exec('import os')",
    "open('/etc/passwd')",
    "getattr(x, 'y')",
    "'a' * 10**9",
    "b'x'",
    "x[::2]",
    "*x",
    "**x",
    "min(x, key=sin)",
    "sin(x=1)",
    "print(x)",
    "globals()",
    "breakpoint()",
    "exit()",
    "x << 1000000000",
    "9**9**9**9**9",
    "10**10**10",
    "(-1)**0.5",
    "1" * 5000,
    "0x" + "f" * 5000,
    "0b" + "1" * 9000,
    "1_000_000",
    "1__0",
    "01",
    "0o7",
    "1.e",
    "1e",
    ".5",
    "5.",
    "x\ty",
    "x\n+\nu",
    "x;u",
    "\u0445 + u",  # Cyrillic
    "\uff58 + u",  # full width; Python's own identifiers fold it to x
    "x\u200b + u",
    "x \u2212 u",
    "\u03c0",
    "x\u0301",
    "\U0001d465",
    "s\u0456n(x)",
    "\ufeffx",
    "\u202ex",
    "sin()",
    "sin(x, u)",
    "pi(x)",
    "x(u)",
    "sin(sin)",
    "where(x, u)",
    "clip(x)",
    "__debug__",
    "__builtins__",
    "__name__",
    "_",
    "np",
    "np.load('x')",
    "self",
    "out",
    "i",
    "t0",
    "v_x",
)

HUGE: tuple[tuple[str, Callable[[], str]], ...] = (
    ("parentheses", lambda: "(" * 5000 + "x" + ")" * 5000),
    ("open parentheses", lambda: "(" * 9999),
    ("a megabyte of parentheses", lambda: "(" * 1_000_000),
    ("brackets", lambda: "[" * 9000),
    ("minus signs", lambda: "-" * 9000 + "x"),
    ("not", lambda: "not " * 2400 + "x"),
    ("a long sum", lambda: "+".join(["x"] * 4999)),
    ("a long power", lambda: "**".join(["x"] * 3000)),
    ("a wide minimum", lambda: f"min({','.join(['x'] * 4990)})"),
    ("wide minima", lambda: f"min({','.join(['sin(x)'] * 1200)})"),
    ("a long comparison", lambda: "<".join(["x"] * 4999)),
    ("a long and", lambda: " and ".join(["x"] * 1600)),
    ("deep functions", lambda: "sin(" * 2000 + "x" + ")" * 2000),
    ("deep minima", lambda: "min(x," * 1400 + "x" + ")" * 1400),
    ("a megabyte of x", lambda: "x" * 1_000_000),
    ("a megabyte of spaces", lambda: " " * 1_000_000 + "x"),
    ("a megabyte of digits", lambda: "1" * 1_000_000),
    ("a megabyte of a sum", lambda: "x+" * 500_000 + "x"),
    ("a megabyte of Greek", lambda: "\u03c0" * 500_000),
    ("a megabyte of text", lambda: "'" + "a" * 1_000_000 + "'"),
    ("zero bytes", lambda: "\x00" * 10_000),
    ("lambda", lambda: "lambda:" * 1400 + "x"),
    ("a long chain of calls", lambda: "x" + "()" * 4000),
    ("a long chain of attributes", lambda: "x" + ".a" * 4000),
    ("a format string in another", lambda: "f'{" * 100 + "x" + "}'" * 100),
)


def grown(rng: random.Random, depth: int = 5) -> str:
    """A well-formed expression."""
    if depth <= 0 or rng.random() < 0.2:
        if rng.random() < 0.5:
            return rng.choice(NAMES[:7])
        return rng.choice(("0", "1", "2.5", "1e-3", "1e308", "1e-320", str(rng.random()), str(rng.randrange(10**9))))
    kind = rng.random()
    if kind < 0.5:
        return f"({grown(rng, depth - 1)}{rng.choice(BINARY)}{grown(rng, depth - 1)})"
    if kind < 0.6:
        return f"{rng.choice(('-', '+', 'not '))}({grown(rng, depth - 1)})"
    name = rng.choice(FUNCTIONS)
    count = {"min": rng.randint(2, 4), "max": rng.randint(2, 4), "clip": 3, "where": 3, "arctan2": 2}.get(name, 1)
    return f"{name}({', '.join(grown(rng, depth - 1) for _ in range(count))})"


def mutated(rng: random.Random, text: str) -> str:
    """The text with a few changes of characters, tokens or order."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.randint(0, 6))
        insert = rng.choice(
            (
                rng.choice(NAMES),
                rng.choice(FOREIGN),
                rng.choice(BINARY),
                rng.choice("()[]{}'\"\\,"),
                rng.choice(string.printable),
                chr(rng.randrange(0x11000)) if rng.random() < 0.3 else "x",
                text[at:end] * rng.randint(1, 50),
                rng.choice(HARMFUL),
                "",
            )
        )
        text = text[:at] + insert + text[end if rng.random() < 0.6 else at :]
    return text


def hostile(rng: random.Random) -> str:
    """Any of them."""
    kind = rng.random()
    if kind < 0.25:
        return grown(rng)
    if kind < 0.7:
        return mutated(rng, grown(rng))
    if kind < 0.9:
        return mutated(rng, rng.choice(HARMFUL)) if rng.random() < 0.6 else rng.choice(HARMFUL)
    if kind < 0.97:
        return "".join(chr(rng.randrange(1, 0x250)) for _ in range(rng.randint(0, 40)))
    return rng.choice(HUGE)[1]()
