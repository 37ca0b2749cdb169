"""Modules that only an extra of the installation brings."""

from __future__ import annotations

import importlib
from typing import Any


def optional(module: str, needing: str, extra: str) -> Any:
    """The module of this name.

    Parameters
    ----------
    module : str
    needing : str
        What needs it, with which the message begins: ``to_xarray needs xarray``.
    extra : str
        That brings it.

    Raises
    ------
    ImportError
        It is not installed; says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'{needing}: pip install "wpoflow[{extra}]"') from error
