"""How many steps a decision may take, and what an action cannot be held with (why: :mod:`problems.held`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

MOST_STEPS = 10_000


def check_steps(name: str, steps: int) -> None:
    """Raise ValueError unless a decision can take so many steps."""
    if isinstance(steps, bool) or not isinstance(steps, Integral) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"{name} = {steps!r} must be a whole number of steps from 1 to {MOST_STEPS}")


def check_power(discount: float, name: str, steps: int) -> None:
    """Raise ValueError where a discount that is none of zero has a power that is."""
    if 0.0 < discount < 1.0 and discount**steps == 0.0:
        raise ValueError(
            f"{name} = {steps}: the discount {discount:g} of a step to this power, that of a decision, is zero in "
            "floating-point numbers"
        )


def check_hold(
    hold: int, noise: Mapping[str, Any], outcomes: bool, shocks: Sequence[str], feasible: Mapping[str, Sequence[Any]]
) -> None:
    """Refuse what a held action has no exact meaning for.

    Raises
    ------
    ValueError
        Not a positive whole number of steps; noise, outcomes, shocks or state-dependent ends with more than one.
    """
    check_steps("hold", hold)
    if hold == 1:
        return
    random = [f"noise.{name}" for name, value in noise.items() if callable(value) or value != 0.0]
    random += ["outcomes"] if outcomes else []
    random += [f"shock.{name}" for name in shocks]
    if random:
        raise ValueError(random_and_held(hold, random[0]))
    for name, ends in feasible.items():
        if any(map(callable, ends)):
            raise ValueError(leaving_while_held(hold, name))


def random_and_held(hold: int, what: str) -> str:
    """What is wrong with chance in a problem of held actions."""
    return (
        f"hold = {hold} with {what}: the law of the state after {hold} random steps has no exact form here; "
        "held actions need dynamics without noise, outcomes and shocks"
    )


def leaving_while_held(hold: int, action: str) -> str:
    """What is wrong with an action between ends that may move while it is held."""
    return (
        f"hold = {hold} with the feasible ends of {action}: they may move while the action is held; give numbers, "
        "or bounds"
    )
