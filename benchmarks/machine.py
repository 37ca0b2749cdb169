"""What a measurement was made on: processor, load, versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "wpoflow", "numpy", "scipy", "numba", "scikit-sundae", "py-pde", "FiPy", "pychangcooper", "quantecon", "mdpsolver",
    "gymnasium",
)  # fmt: skip


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> list[float]:
    """Load averages of the last 1, 5 and 15 minutes; empty where the system has none."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def versions() -> dict[str, str]:
    """Versions of everything that is compared; "not installed" where one is missing."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Processor, system and versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions(),
        "threads": {name: os.environ.get(name, "unset") for name in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")},
    }
