"""The one place where HTML is made: templates of this floor, with everything put into them escaped."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).resolve().parent / "templates"
SHORT_NUMBERS = 4


def number_short(value: object) -> str:
    """A number to four digits, powers of ten written out; what is no number (as "inf" in JSON) as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {"inf": "∞", "-inf": "−∞"}.get(str(value), str(value))
    if not math.isfinite(value):
        return number_short(str(float(value)))
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−").replace(",", "\u202f")
    text = f"{value:.{SHORT_NUMBERS}g}"
    digits, has_exponent, exponent = text.partition("e")
    if has_exponent:
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = f"10{power}" if digits == "1" else f"{digits}\u202f·\u202f10{power}"
    return text.replace("-", "−")


@cache
def environment() -> Environment:
    """Templates with autoescape on and no name left undefined."""
    import jinja2  # takes a tenth of a second, and only HTML needs it

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["short"] = number_short
    return made


def render(template: str, **content: object) -> str:
    """A template of the folder, filled in."""
    return environment().get_template(template).render(**content)
