"""A flow with its keys in one word, as ``mirror:step=0.5`` or ``wasserstein-fisher-rao:beta=2,accuracy=1e-4``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wpoflow.core.registry import choices
from wpoflow.core.text import did_you_mean
from wpoflow.solver.registry import FLOWS, FlowEntry

NOT_HERE = ("kind", "until")
"""Keys of [flow] that are the same for all, or the flow itself."""
WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Contestant:
    """One flow of a comparison.

    Attributes
    ----------
    label : str
        As it was given.
    flow : str
    settings : mapping
        Of scheme, accuracy and step, those given.
    parameters : mapping
        Keys of the flow itself.
    """

    label: str
    flow: str
    settings: Mapping[str, str | float]
    parameters: Mapping[str, float | str]

    @property
    def file_name(self) -> str:
        """Of its run file."""
        return re.sub(r"[^A-Za-z0-9.+=-]+", "-", self.label).strip("-") + ".h5"


def contestant(label: str) -> Contestant:
    """Read one.

    Raises
    ------
    ValueError
        An unknown flow, a key it does not know, a value that is none, or a step that is missing; says which.
    """
    name, _, rest = label.partition(":")
    flow = name.strip()
    if flow not in FLOWS:
        raise ValueError(f"flow {label!r}: {flow!r} is no flow; choose {choices(FLOWS)}{did_you_mean(flow, FLOWS)}")
    known = [key for key in FLOWS[flow].keys if key not in NOT_HERE]
    found: dict[str, str | float] = {}
    for entry in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not (key and equals and value):
            raise ValueError(f"flow {label!r}: write KEY=VALUE, not {entry!r}; keys are {', '.join(known)}")
        if key not in known:
            raise ValueError(
                f"flow {label!r}: {key} is not a key of {flow}; choose {choices(known)}{did_you_mean(key, known)}"
            )
        if key in found:
            raise ValueError(f"flow {label!r}: {key} is given twice")
        found[key] = value if key == "scheme" else _value(label, key, value, FLOWS[flow])
    if "step" in found and "accuracy" in found:
        raise ValueError(f"flow {label!r}: give step or accuracy, not both")
    own = FLOWS[flow].own
    return Contestant(
        label,
        flow,
        {key: value for key, value in found.items() if key not in own},
        {key: value for key, value in found.items() if key in own},
    )


def contestants(labels: Sequence[str]) -> list[Contestant]:
    """Read all of them.

    Raises
    ------
    ValueError
        As `contestant`; none is given, or two whose run files would have one name.
    """
    if isinstance(labels, str) or not labels:
        raise ValueError(f"flows: give a list of at least one; choose {choices(FLOWS)}")
    found = [contestant(label) for label in labels]
    files: dict[str, str] = {}
    for entry in found:
        if entry.file_name.lower() in files:
            raise ValueError(f"flow {entry.label!r} is given twice")
        files[entry.file_name.lower()] = entry.label
    return found


def _value(label: str, key: str, value: str, entry: FlowEntry) -> float | str:
    """A word or a number, as the key has them."""
    default = entry.parameters.get(key)
    if isinstance(default, bool):
        if value not in WORDS:
            raise ValueError(f"flow {label!r}: {key} = {value!r} is neither {' nor '.join(WORDS)}")
        return WORDS[value]
    if isinstance(default, str):
        return value
    try:
        number = int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        raise ValueError(f"flow {label!r}: {key} = {value!r} is not a number") from None
    if not math.isfinite(number) or number < 0.0 or (number == 0.0 and default != 0.0 and key not in entry.required):
        raise ValueError(f"flow {label!r}: {key} = {value} must be positive and finite")
    return number
