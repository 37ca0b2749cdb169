"""Check sum of an array's bits, as fast as memory: whether entries are still what they were.

Eight interleaved lanes, each of every eighth word, are mixed one after another into what came before by

    a <- (a xor word) M modulo 2^64,      a <- a xor (a >> 29),      M odd.

Either step can be undone, so that a change of one word always changes the sum; the second carries the high bits, such
as signs, into the low ones, which the next product spreads: two changes do not cancel but by chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wpoflow.core.compile import kernel

LANES = 8
_M = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
_SHIFT = np.uint64(29)


@kernel()
def _mixed(a: np.uint64, word: np.uint64) -> np.uint64:
    product = (a ^ word) * _M
    return product ^ (product >> _SHIFT)


@kernel()
def check_sum(words: npt.NDArray[np.uint64], before: np.uint64) -> np.uint64:
    """Check sum of words (n,), going on from that of the arrays before."""
    a, b, c, d = before, before, before, before
    e, f, g, h = before, before, before, before
    whole = words.size - words.size % LANES
    for t in range(0, whole, LANES):
        a = _mixed(a, words[t])
        b = _mixed(b, words[t + 1])
        c = _mixed(c, words[t + 2])
        d = _mixed(d, words[t + 3])
        e = _mixed(e, words[t + 4])
        f = _mixed(f, words[t + 5])
        g = _mixed(g, words[t + 6])
        h = _mixed(h, words[t + 7])
    for t in range(whole, words.size):
        a = _mixed(a, words[t])
    total = _mixed(before, np.uint64(words.size))
    for lane in (a, b, c, d, e, f, g, h):
        total = _mixed(total, lane)
    return total
