"""Settings of the whole suite: strict floating point, one numba thread per worker, kernels compiled once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
# threads that wait for each other in a loop take twenty times as long beside other workers
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

np.seterr(all="raise", under="ignore")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells do to what they start in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "wpoflow", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("wpoflow"), max_examples=5000, derandomize=False)
settings.register_profile("unshrunk", settings.get_profile("wpoflow"), phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "wpoflow"))


def pytest_configure(config: pytest.Config) -> None:
    """Fill the kernel cache before several workers would compile the same kernels at once."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        root = Path(__file__).resolve().parents[1]
        filling = [
            subprocess.Popen([sys.executable, "-m", *what], cwd=root, stdout=subprocess.DEVNULL)
            for what in (("wpoflow", "doctor"), ("tests.kernels_of_constants",))
        ]
        for process in filling:
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, process.args)
