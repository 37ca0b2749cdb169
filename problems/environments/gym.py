"""The one door to Gymnasium, which is imported when first needed."""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType
from typing import Any

from wpoflow.core.text import did_you_mean, one_line
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
    """An environment from its id; one that is made already is taken as it is, those of dm_control as Gymnasium's.

    Raises
    ------
    ProblemError
        No environment has this id, its module cannot be imported, or it cannot be made.
    ImportError
        Gymnasium, or a package that the environment needs, is not installed.
    """
    control = importlib.import_module("wpoflow.problems.environments.control")  # which needs this module
    if control.names_control(environment):
        return control.control_environment(environment)
    gym = gymnasium()
    if not isinstance(environment, str):
        if isinstance(environment, type) or not all(hasattr(environment, name) for name in ("action_space", "step")):
            what = environment.__name__ if isinstance(environment, type) else f"of type {type(environment).__name__}"
            raise ProblemError(f"environment: it is {what}; give a name, as Pendulum-v1, or one that is made")
        return environment
    module, colon, _ = environment.partition(":")
    if colon:
        _import_module(module, environment)
    try:
        # the checker of every step would cost more than the step
        return gym.make(environment, disable_env_checker=True)
    except gym.error.DependencyNotInstalled as error:
        raise ImportError(f"environment {environment}: {one_line(error)}") from error
    except gym.error.NameNotFound as error:
        names = {spec.name for spec in gym.registry.values()}
        near = did_you_mean(re.sub(r".*[:/]|-v\d+$", "", environment), names)
        hint = f"module {module} registers no such environment (gymnasium.register)" if colon else "there is none"
        raise ProblemError(f"environment {environment!r}: {hint}{near}") from error
    except gym.error.Error as error:
        raise ProblemError(f"environment {environment!r}: {error}") from error
    except Exception as error:  # of whatever kind the environment's own code raises
        raise ProblemError(f"environment {environment!r} cannot be made: {type(error).__name__}: {error}") from error


def _import_module(name: str, environment: str) -> None:
    """Import the module of ``MODULE:NAME``, which registers the environment; in the current folder it is found last."""
    if os.getcwd() not in sys.path and "" not in sys.path:  # a console command does not look there
        sys.path.append(os.getcwd())
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ProblemError(f"environment {environment!r}: module {name} needs {error.name}: {error}") from error
        raise ProblemError(
            f"environment {environment!r}: there is no module {name}, neither installed nor as {name}.py in "
            f"{os.getcwd()}"
        ) from error
    except Exception as error:  # of whatever kind the module's own code raises
        said = f"{type(error).__name__}: {error}"
        raise ProblemError(f"environment {environment!r}: module {name} cannot be imported: {said}") from error


def name_of(env: Any) -> str:
    """Id of an environment, or the name of its class if it has none."""
    return str(env.spec.id) if env.spec is not None else type(env.unwrapped).__name__


def action_box(env: Any) -> Any:
    """The action space of an environment, which must be a box.

    Raises
    ------
    ProblemError
        It is of another kind.
    """
    space = env.action_space
    if not isinstance(space, gymnasium().spaces.Box):
        raise ProblemError(
            f"environment {name_of(env)}: its actions are {space}; a bounded Box is needed, or finitely many (Discrete "
            "or MultiDiscrete)"
        )
    return space
