"""Random numbers by counting: Philox-4x64-10, and uniform and normal numbers made of it.

The generator is a function of two keys and four counters (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
as 1, 2, 3; SC 2011): ten rounds of

    (x0, x1, x2, x3) -> (high(M1 x2) ^ x1 ^ k0, low(M1 x2), high(M0 x0) ^ x3 ^ k1, low(M0 x0)),   k0 += W0, k1 += W1,

high and low being the halves of a product of 128 bits.  Nothing is remembered from one number to the next, so that any
of them is had by any thread, in any order, and again by a run that goes on.  It is that of `numpy.random.Philox`.

Number j of a stream is word j % 4 of the counters (j // 4, stream, 0, 0) under the keys (seed, step): streams of any
length begin with the same numbers.  Uniform numbers have 52 bits; normal ones are made of two by the method of Box and
Muller and are at most 8.49.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import log, sin_and_cos_of_turns

_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_FRACTION, _ONE = np.uint64(12), np.uint64(0x3FF0000000000000)
WORDS = 4


@kernel()
def _high(a: np.uint64, b: np.uint64) -> np.uint64:
    """The upper 64 bits of a product."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    cross = a_high * b_low + ((a_low * b_low) >> _HALF)
    middle = a_low * b_high + (cross & _LOW)
    return a_high * b_high + (cross >> _HALF) + (middle >> _HALF)


@kernel()
def philox(
    x0: np.uint64, x1: np.uint64, x2: np.uint64, x3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random words of four counters and two keys, all of 64 bits without a sign."""
    for _ in range(10):
        y0, y1 = _high(_M1, x2) ^ x1 ^ k0, _M1 * x2
        y2, y3 = _high(_M0, x0) ^ x3 ^ k1, _M0 * x0
        x0, x1, x2, x3 = y0, y1, y2, y3
        k0, k1 = k0 + _W0, k1 + _W1
    return x0, x1, x2, x3


@kernel()
def _fraction(word: np.uint64) -> float:
    """A multiple of 2^-52 from zero on, below one."""
    return float(np.uint64((word >> _FRACTION) | _ONE).view(np.float64) - 1.0)


@kernel()
def uniform_blocks(seed: int, step: int, stream: int, out: FloatArray) -> None:
    """Fill out (4, n) with uniform numbers in [0, 1): number 4 k + w of the stream in out[w, k]."""
    first, second, third, fourth = out[0], out[1], out[2], out[3]
    seed_key, step_key, row, none = np.uint64(seed), np.uint64(step), np.uint64(stream), np.uint64(0)
    for k in range(np.uintp(first.size)):
        a, b, c, d = philox(np.uint64(k), row, none, none, seed_key, step_key)
        first[k], second[k], third[k], fourth[k] = _fraction(a), _fraction(b), _fraction(c), _fraction(d)


@kernel()
def _box_muller(first: FloatArray, second: FloatArray) -> None:
    """Two rows of uniform numbers to two of normal ones, in place."""
    for k in range(np.uintp(first.size)):
        radius = math.sqrt(-2.0 * log(1.0 - first[k]))
        sine, cosine = sin_and_cos_of_turns(second[k])
        first[k], second[k] = radius * cosine, radius * sine


@kernel()
def _in_order(blocks: FloatArray, out: FloatArray) -> None:
    """The numbers of a stream (n,) of blocks (4, at least n / 4)."""
    whole = out.size // WORDS
    for k in range(whole):
        for word in range(WORDS):
            out[WORDS * k + word] = blocks[word, k]
    for j in range(WORDS * whole, out.size):
        out[j] = blocks[j % WORDS, whole]


@kernel()
def uniforms(seed: int, step: int, stream: int, blocks: FloatArray, out: FloatArray) -> None:
    """Fill out (n,) with the first uniform numbers of a stream, in [0, 1).

    Parameters
    ----------
    seed, step, stream : int
        Not negative.
    blocks : array (4, m)
        Work, m the least with 4 m >= n.
    out : array (n,)
    """
    uniform_blocks(seed, step, stream, blocks)
    _in_order(blocks, out)


@kernel()
def normals(seed: int, step: int, stream: int, blocks: FloatArray, out: FloatArray) -> None:
    """Fill out (n,) with the first standard normal numbers of a stream; arguments as `uniforms`."""
    uniform_blocks(seed, step, stream, blocks)
    _box_muller(blocks[0], blocks[1])
    _box_muller(blocks[2], blocks[3])
    _in_order(blocks, out)
