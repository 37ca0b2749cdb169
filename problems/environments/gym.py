"""The one door to Gymnasium, which is imported when first needed."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from wpoflow.core.text import one_line
from wpoflow.problems.errors import ProblemError


def gymnasium() -> ModuleType:
    """The package Gymnasium.

    Raises
    ------
    ImportError
        It is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise ImportError('environments need Gymnasium: pip install "wpoflow[rl]"') from error


def make_environment(environment: Any) -> Any:
    """An environment from its id; one that is made already is taken as it is.

    Raises
    ------
    ProblemError
        No environment has this id, or it cannot be made.
    ImportError
        Gymnasium, or a package that the environment needs, is not installed.
    """
    gym = gymnasium()
    if not isinstance(environment, str):
        return environment
    try:
        # the checker of every step would cost more than the step
        return gym.make(environment, disable_env_checker=True)
    except gym.error.DependencyNotInstalled as error:
        raise ImportError(f"environment {environment}: {one_line(error)}") from error
    except (gym.error.Error, ModuleNotFoundError) as error:
        raise ProblemError(f"environment {environment!r}: {error}") from error


def name_of(env: Any) -> str:
    """Id of an environment, or the name of its class if it has none."""
    return str(env.spec.id) if env.spec is not None else type(env.unwrapped).__name__


def action_box(env: Any) -> Any:
    """The action space of an environment, which must be a bounded box.

    Raises
    ------
    ProblemError
        It is discrete, of another kind, or unbounded.
    """
    space = env.action_space
    if not isinstance(space, gymnasium().spaces.Box) or not space.is_bounded():
        raise ProblemError(f"environment {name_of(env)}: its actions are {space}; a bounded Box is needed")
    return space
