"""Random numbers by counting, against NumPy's generator of the same name and against their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.elementary import sin_and_cos_of_turns
from wpoflow.solver.arithmetic.philox import normals, philox, uniforms
from wpoflow.validation.independent import particles as independent

WORD = st.integers(0, 2**64 - 1)


def words_of_numpy(counters: list[int], keys: list[int]) -> list[int]:
    """NumPy counts before it draws."""
    number = sum(counter << (64 * j) for j, counter in enumerate(counters))
    before = (number - 1) % 2**256
    counted = np.array([(before >> (64 * j)) % 2**64 for j in range(4)], dtype=np.uint64)
    generator = np.random.Philox(counter=counted, key=np.array(keys, dtype=np.uint64))
    return [int(word) for word in generator.random_raw(4)]


def stream(kind: object, seed: int, step: int, number: int, count: int) -> FloatArray:
    out = np.empty(count)
    kind(seed, step, number, np.empty((4, -(-count // 4))), out)  # type: ignore[operator]
    return out


@given(counters=st.lists(WORD, min_size=4, max_size=4), keys=st.lists(WORD, min_size=2, max_size=2))
def test_words_are_those_of_numpy(counters: list[int], keys: list[int]) -> None:
    found = philox(*(np.uint64(word) for word in (*counters, *keys)))
    assert [int(word) for word in found] == words_of_numpy(counters, keys)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 1023])
def test_streams_by_their_definition(count: int) -> None:
    """Word j % 4 of the counters (j // 4, stream, 0, 0), and two of them to two normal numbers."""
    seed, step, number = 7, 11, 13
    words = [word for k in range(-(-count // 4)) for word in words_of_numpy([k, number, 0, 0], [seed, step])]
    uniform = np.array([(word >> 12) * 2.0**-52 for word in words])
    np.testing.assert_array_equal(independent.words(seed, step, number, count), uniform[:count])
    np.testing.assert_array_equal(stream(uniforms, seed, step, number, count), uniform[:count])
    radius, angle = np.sqrt(-2.0 * np.log(1.0 - uniform[::2])), 2.0 * np.pi * uniform[1::2]
    pairs = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).ravel()
    np.testing.assert_allclose(stream(normals, seed, step, number, count), pairs[:count], rtol=0.0, atol=1e-14)
    np.testing.assert_array_equal(independent.words(seed, step, 0, count), stream(uniforms, seed, step, 0, count))


def test_longer_streams_go_on() -> None:
    """As they do not with another seed, step or stream."""
    short = stream(normals, 1, 2, 3, 10)
    np.testing.assert_array_equal(stream(normals, 1, 2, 3, 1000)[:10], short)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.any(stream(normals, *other, 10) == short)


def test_the_law_is_normal() -> None:
    """Over streams and steps; probabilities of 1e-3 are no accident, as the seed is fixed."""
    numbers = np.concatenate([stream(normals, 5, step, number, 999) for step in range(20) for number in range(20)])
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    following = stats.pearsonr(numbers[:-1], numbers[1:])
    assert following.pvalue > 1e-3
    assert stats.kstest(np.abs(numbers[numbers.size // 2 :]), "halfnorm").pvalue > 1e-3


def test_sines_and_cosines() -> None:
    turns = np.concatenate([np.arange(9) / 8.0, np.random.default_rng(1).random(1000)])
    found = np.array([sin_and_cos_of_turns(u) for u in turns])
    exact = 2.0 * np.pi * (turns - np.round(turns))  # within half a turn, so that its rounding is small
    np.testing.assert_allclose(found[:, 0], np.sin(exact), rtol=0.0, atol=6e-16)
    np.testing.assert_allclose(found[:, 1], np.cos(exact), rtol=0.0, atol=6e-16)
    assert found[2, 0] == 1.0
    assert found[4, 1] == -1.0
