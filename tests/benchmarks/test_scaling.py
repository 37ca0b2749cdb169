"""The studies of growth run, and their slopes are those of their rows."""

import numpy as np
import pytest

from benchmarks.one_step import STEP_PARTS
from benchmarks.scaling import growth, slope


def test_slopes_are_exponents() -> None:
    sizes = [10.0, 100.0, 1000.0]
    assert slope(sizes, [3.0 * size**1.5 for size in sizes]) == pytest.approx(1.5)


@pytest.mark.slow
def test_growth_measures_every_part_of_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = growth([(4, 2), (6, 3)], 1)
    assert [row["pairs"] for row in found["rows"]] == [64, 324]
    for row in found["rows"]:
        assert row["step"] == sum(row["cpu"][part] for part in STEP_PARTS)
        assert row["step_with_bellman"] > row["cpu"]["descent"] > 0.0
    assert np.isfinite(found["slopes"]["all"]["step"])
    assert "ns/pair" in capsys.readouterr().out
