"""Runs killed at random moments end as if left alone: a few kills; ``python -m tests.kills`` makes many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kills import CASES
from wpoflow.problems.gallery import gallery_names

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked the POSIX way")


def killed(count: int, *cases: str) -> str:
    command = [sys.executable, "-m", "tests.kills", "--count", str(count)]
    chosen = [word for case in cases for word in ("--case", case)]
    done = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_few_kills() -> None:
    assert "0 did not" in killed(3, "lqr euler")


@pytest.mark.slow
def test_many_kills() -> None:
    assert {case.split()[0] for case in CASES} == set(gallery_names())
    assert "0 did not" in killed(200)
