"""Problem files of every sort: the gallery's, with changes that keep their structure, break it, or mean harm."""

from __future__ import annotations

import copy
import math
import random
import tomllib
from collections.abc import Iterator
from datetime import date, time
from typing import Any

import tomli_w

from tests.fuzz.expression_texts import grown, hostile, mutated
from wpoflow.problems.gallery import gallery_names, gallery_text

KEYS = (
    "problem", "title", "discount", "temperature", "constants", "definitions", "state", "action", "bounds", "cells",
    "boundary", "edges", "spacing", "focus", "ratio", "dynamics", "noise", "outcome", "probability", "cost", "running",
    "terminal_set", "terminal_cost", "reference", "potential", "initial", "state_density", "policy_density", "flow",
    "kind", "until", "time", "gap", "steps", "wall", "scheme", "accuracy", "step", "record", "series", "first",
    "per_decade", "every", "times", "snapshots", "x", "u", "a", "sin", "pi", "gap_sup", "x_edges", "class", "__class__",
    "reward", "terminal_reward", "feasible", "shock", "method", "persistence", "deviation", "mean", "width", "points",
    "transition", "z", "../../etc/passwd", "", " ", "a b", "\u0445", "\u03c0", "a\nb", "\x1b[31m", "0", "-1", "#",
)  # fmt: skip
TEXTS = (
    "", "0", "1", "x", "nan", "inf", "-inf", "1/0", "log(-1)", "0/0", "1e999", "periodic", "clamp", "no-flux", "sinh",
    "rouwenhorst", "tauchen", "euler", "multistep", "exponential", "../x", "/dev/zero", "\u0445", "\x1b[2J", "x\ny",
    "%s%n",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 7, 10**9, 10**18, 2**63, 2**64, 10**400, -(10**30),
    0.0, -0.0, 0.5, 1e-8, 1e-300, 5e-324, 1e12, 1e300, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 0.99999,
)  # fmt: skip


SAVING = """
problem = { discount = 0.9, temperature = 0.1 }
shock.z = { method = "rouwenhorst", persistence = 0.8, deviation = 0.2, points = 3 }
shock.w = { points = [0.0, 1.0], transition = [[0.9, 0.1], [0.5, 0.5]] }
definitions = { rest = "x - c", least = "0.1*x" }
state.x = { bounds = [0.5, 4.0], cells = 5 }
action.c = { feasible = ["least", "x"], cells = 3 }
action.d = { feasible = [0, "rest"], cells = 2 }
dynamics = { x = "1.04*(rest - d) + exp(z)" }
reward = { running = "log(c) + w*d", terminal_set = "x + z > 5", terminal_reward = "x" }
flow.until = 1.0
"""
"""What the gallery has not: shocks by a method and by a table, feasible ends, rewards."""


def _base(rng: random.Random) -> str:
    """A problem of the gallery, or now and then the other one."""
    return SAVING if rng.random() < 0.2 else gallery_text(rng.choice(gallery_names()))


def odd_value(rng: random.Random, depth: int = 2) -> Any:
    """A value of any type."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(NUMBERS)
    if kind < 0.55:
        return rng.choice(TEXTS)
    if kind < 0.7:
        return hostile(rng)[:20_000].replace("\x00", "0")
    if kind < 0.75:
        return rng.choice([True, False, date(2020, 1, 1), time(1, 2, 3)])
    if depth and kind < 0.9:
        return [odd_value(rng, depth - 1) for _ in range(rng.choice((0, 1, 2, 3, 40)))]
    if depth:
        return {rng.choice(KEYS): odd_value(rng, depth - 1) for _ in range(rng.choice((0, 1, 2, 5)))}
    return "x"


def places(table: Any) -> Iterator[tuple[Any, Any]]:
    """Every table or list with every key in it."""
    entries = list(table.items()) if isinstance(table, dict) else list(enumerate(table))
    for key, value in entries:
        yield table, key
        if isinstance(value, dict | list):
            yield from places(value)


def structured(rng: random.Random) -> bytes:
    """A gallery problem with small grids and a few changes that keep it TOML."""
    tables = copy.deepcopy(tomllib.loads(_base(rng)))
    for axis in [*tables.get("state", {}).values(), *tables["action"].values()]:
        if "cells" in axis:
            axis["cells"] = rng.choice((1, 2, 3, 5, 8))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
        where = list(places(tables))
        if not where:
            break
        table, key = rng.choice(where)
        kind = rng.random()
        if kind < 0.15:
            del table[key]
        elif kind < 0.3 and isinstance(table[key], str):
            table[key] = mutated(rng, table[key])
        elif kind < 0.45 and isinstance(table[key], str):
            table[key] = grown(rng)
        elif kind < 0.6 and isinstance(table[key], int | float) and not isinstance(table[key], bool):
            value = table[key]
            table[key] = rng.choice((rng.choice(NUMBERS), -value, value * 10, type(value)(rng.random() * 9)))
        elif kind < 0.8:
            table[key] = odd_value(rng)
        elif isinstance(table, dict):
            table[rng.choice(KEYS)] = copy.deepcopy(rng.choice([table[key], odd_value(rng)]))
        else:
            table.append(copy.deepcopy(table[key]))
    try:
        return tomli_w.dumps(tables).encode("utf-8", "surrogatepass")
    except (ValueError, TypeError):  # an integer too long to be written in tens
        return broken(rng)


def broken(rng: random.Random) -> bytes:
    """The text of a gallery problem with lines doubled, moved, cut or bytes changed."""
    lines = _base(rng).splitlines()
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif kind == 1:
            lines[at] = mutated(rng, lines[at])
        elif kind == 2:
            lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
        elif kind == 3:
            value = rng.choice(("nan", "-inf", "1979-05-27", "[[]]", "{}"))
            lines[at] = f"{rng.choice(KEYS[:50])} = {value}"
        elif kind == 4:
            lines[at] = f"[{'.'.join(rng.choice(KEYS[:50]) for _ in range(rng.randint(1, 4)))}]"
        else:
            lines.pop(at)
            lines = lines or [""]
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice((0, 0, 1, 3))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


_HEAD = '[problem]\ndiscount=0.9\ntemperature=0.1\n[cost]\nrunning="0"\n[flow]\nuntil=1.0\n'


def _many_axes(count: int, cells: int) -> str:
    states = "".join(f"[state.s{k}]\nbounds=[0.0,1.0]\ncells={cells}\n" for k in range(count))
    moves = "[dynamics]\n" + "".join(f's{k}="s{k}"\n' for k in range(count))
    return f"{_HEAD}{states}[action.u]\nbounds=[0.0,1.0]\ncells=2\n{moves}"


def _with_definitions(texts: list[str], running: str) -> str:
    lines = "".join(f'd{k}="{text}"\n' for k, text in enumerate(texts))
    head = _HEAD.replace('"0"', f'"{running}"')
    return f"{head}[action.u]\nbounds=[0.0,1.0]\ncells=2\n[definitions]\n{lines}"


def huge() -> dict[str, bytes]:
    """Files that are large, deep or ask for much."""
    action = "[action.u]\nbounds=[0.0,1.0]\ncells=2\n"
    texts = {
        "40 state axes of one cell": _many_axes(40, 1),
        "40 state axes of two cells": _many_axes(40, 2),
        "8 state axes of 1000 cells": _many_axes(8, 1000),
        "40 action axes": _HEAD + "".join(f"[action.a{k}]\nbounds=[0.0,1.0]\ncells=2\n" for k in range(40)),
        "10 action axes": _HEAD + "".join(f"[action.a{k}]\nbounds=[0.0,1.0]\ncells=10\n" for k in range(10)),
        "a billion cells": f"{_HEAD}[action.u]\nbounds=[0.0,1.0]\ncells=1000000000\n",
        "ten million cells, twice": f"{_HEAD}[state.x]\nbounds=[0.0,1.0]\ncells=10000000\n[dynamics]\nx='x'\n"
        "[action.u]\nbounds=[0.0,1.0]\ncells=10000000\n",
        "100000 edges": f"{_HEAD}[action.u]\nedges=[{','.join(map(str, range(100_000)))}]\n",
        "a megabyte of brackets": "a=" + "[" * 900_000,
        "brackets that close": "a=" + "[" * 2000 + "]" * 2000,
        "tables in tables": "a=" + "{a=" * 300 + "1" + "}" * 300,
        "a long chain of definitions": _with_definitions(["u", *[f"d{k}+1" for k in range(3000)]], "d3000"),
        "a short chain of definitions": _with_definitions(["u", *[f"d{k}+1" for k in range(150)]], "d150"),
        "definitions that double": _with_definitions(["u", *[f"d{k}+d{k}" for k in range(200)]], "d200"),
        "a megabyte of title": f'{_HEAD}title="{"t" * 900_000}"\n{action}',
        "a megabyte of comment": "#" * 900_000,
        "ten megabytes": "# x\n" * 2_500_000,
        "a long integer": f"a={'1' * 100_000}",
        "a negative zero": f"{_HEAD}[action.u]\nbounds=[-0.0,0.0]\ncells=2\n",
        "a box of a denormal": f"{_HEAD}[action.u]\nbounds=[0.0,5e-324]\ncells=2\n",
        "an endless box": f"{_HEAD}[action.u]\nbounds=[-1.7e308,1.7e308]\ncells=2\n",
        "a far box": f"{_HEAD}[action.u]\nbounds=[1e16,10000000000000002.0]\ncells=100\n",
        "many snapshots": f"{_HEAD}{action}[record]\nsnapshots=1000000000\n",
        "rows without end": f"{_HEAD}{action}[record]\nseries={{every=1e-300}}\n",
        "duplicate keys": _HEAD + _HEAD,
        "nothing": "",
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "zero bytes": b"\x00" * 100_000,
        "random bytes": random.Random(0).randbytes(100_000),
        "UTF-16": gallery_text("lqr").encode("utf-16"),
        "a byte order mark": gallery_text("lqr").encode("utf-8-sig"),
        "carriage returns": gallery_text("lqr").replace("\n", "\r").encode(),
    }


def files(rng: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Family and content of so many problem files; the huge ones come first, once each."""
    for name, content in list(huge().items())[:count]:
        yield "huge", content if name else b""
    for _ in range(count - len(huge())):
        if rng.random() < 0.75:
            yield "structured", structured(rng)
        else:
            yield "broken", broken(rng)
