"""Exponentials and logarithms without calls or branches, so that loops over arrays of them vectorise.

With k the integer nearest to x / ln 2 and r = x - k ln 2, |r| <= 0.347 (ln 2 in two parts, the first of few bits so
that k times it is exact),

    expm1(r) = r + r^2 P(r),     exp(x) = 2^k + 2^k expm1(r),     expm1(x) = (2^k - 1) + 2^k expm1(r),

P the Taylor polynomial of degree 11, which leaves out 1.2e-17 of r.  Adding 1.5 * 2^52 to a number rounds it to an
integer and leaves that integer in the low bits of the sum, from where a shift makes it the exponent of 2^k: all of
this is plain arithmetic on float64 and int64, in an order of its own; only fused operations, where a processor has
them, make its last bits differ from another's.

    log(x) = k ln 2 + log(m),   sqrt(1/2) <= m < sqrt(2),   log(1 + f) = 2 artanh(s),   s = f / (2 + f),

the last by the polynomial in s^2 of the FreeBSD library (e_log.c, Sun Microsystems 1993, error below 2^-58.45).

    sin(2 pi u), cos(2 pi u):   j the integer nearest to 4u,   x = 2 pi (u - j/4), |x| <= pi/4, by Taylor polynomials,

of which j says which is which and of what sign; the difference is exact.

Errors against 80-bit arithmetic on millions of random points: at most 1.1 units in the last place for `exp` (one
subnormal number where the result is subnormal), 2.0 for `expm1_nonnegative` and 0.9 for `log`; sines and cosines are
exact to 2.3e-16.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.compile import kernel

_ROUNDER = 1.5 * 2.0**52
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SMALLEST_NORMAL = 2.0**-1022
_HALF_BITS = 0x3FE6A09E00000000  # of a number just below sqrt(1/2), its low half zero
(_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11, _T12, _T13) = (1.0 / math.factorial(j) for j in range(2, 14))
_TURN = 2.0 * math.pi
_S3, _S5, _S7, _S9, _S11, _S13, _S15 = ((-1.0) ** (j // 2) / math.factorial(j) for j in range(3, 17, 2))
_C2, _C4, _C6, _C8, _C10, _C12, _C14, _C16 = ((-1.0) ** (j // 2) / math.factorial(j) for j in range(2, 18, 2))
(_L1, _L2, _L3, _L4, _L5, _L6, _L7) = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


@kernel()
def _expm1_reduced(r: float) -> float:
    """e^r - 1 for |r| <= 0.35."""
    r2 = r * r
    r4 = r2 * r2
    low = (_T2 + _T3 * r) + (_T4 + _T5 * r) * r2
    middle = (_T6 + _T7 * r) + (_T8 + _T9 * r) * r2
    high = (_T10 + _T11 * r) + (_T12 + _T13 * r) * r2
    return r + r2 * (low + (middle + high * r4) * r4)


@kernel()
def exp(x: float) -> float:
    """e^x: zero below -746, infinite above 709.79, NaN of NaN."""
    bounded = -746.0 if x < -746.0 else x
    bounded = 710.0 if bounded > 710.0 else bounded
    rounded = bounded * _LOG2_E + _ROUNDER
    k = rounded - _ROUNDER
    p = _expm1_reduced((bounded - k * _LN2_HIGH) - k * _LN2_LOW)
    # 2^k in two factors: k runs from -1076 to 1024, beyond the exponents of normal numbers at both ends
    bits = np.float64(rounded).view(np.int64)
    half = bits >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((bits - half + 1023) << 52).view(np.float64)
    return (first + first * p) * second


@kernel()
def normal_exp(x: float) -> float:
    """e^x for x <= 709: zero below -708.4, where it would not be a normal number; NaN of NaN."""
    bounded = -709.0 if x < -709.0 else x
    rounded = bounded * _LOG2_E + _ROUNDER
    k = rounded - _ROUNDER
    p = _expm1_reduced((bounded - k * _LN2_HIGH) - k * _LN2_LOW)
    power = np.int64((np.float64(rounded).view(np.int64) + 1023) << 52).view(np.float64)
    return 0.0 if x < -708.4 else power + power * p


@kernel()
def expm1_nonnegative(x: float) -> float:
    """e^x - 1 for x >= 0, to full relative precision; infinite from 709.4 on, NaN of NaN."""
    rounded = x * _LOG2_E + _ROUNDER
    k = rounded - _ROUNDER
    p = _expm1_reduced((x - k * _LN2_HIGH) - k * _LN2_LOW)
    power = np.int64((np.float64(rounded).view(np.int64) + 1023) << 52).view(np.float64)
    return math.inf if x > 709.4 else power * p + (power - 1.0)


@kernel()
def exp_and_expm1_negative(x: float) -> tuple[float, float]:
    """e^{-x} and e^{-x} - 1 for x >= 0, both to full relative precision; the first zero from 708.4 on, NaN of NaN."""
    bounded = 709.0 if x > 709.0 else x
    rounded = _ROUNDER - bounded * _LOG2_E
    k = rounded - _ROUNDER
    p = _expm1_reduced((-bounded - k * _LN2_HIGH) - k * _LN2_LOW)
    power = np.int64((np.float64(rounded).view(np.int64) + 1023) << 52).view(np.float64)
    return (0.0 if x > 708.4 else power + power * p), power * p + (power - 1.0)


@kernel()
def log(x: float) -> float:
    """ln x: minus infinity of zero, NaN of negative numbers and NaN, infinity of infinity; subnormal numbers too."""
    subnormal = x < _SMALLEST_NORMAL
    bits = np.float64(x * 2.0**54 if subnormal else x).view(np.int64)
    shifted = bits - _HALF_BITS
    power = shifted >> 52
    f = np.int64(bits - (power << 52)).view(np.float64) - 1.0
    # the integer in the low bits of a large number, as in the exponential, backwards
    rounded = np.int64(power + np.float64(_ROUNDER).view(np.int64)).view(np.float64)
    k = rounded - (_ROUNDER + 54.0) if subnormal else rounded - _ROUNDER
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7)))
    even = w * (_L2 + w * (_L4 + w * _L6))
    half = 0.5 * f * f
    result: float = k * _LN2_HIGH - ((half - (s * (half + (odd + even)) + k * _LN2_LOW)) - f)
    result = x if x == math.inf else result
    result = -math.inf if x == 0.0 else result
    return math.nan if not x >= 0.0 else result


@kernel()
def sin_and_cos_of_turns(u: float) -> tuple[float, float]:
    """sin(2 pi u) and cos(2 pi u), 0 <= u <= 1."""
    rounded = 4.0 * u + _ROUNDER
    j = rounded - _ROUNDER
    x = _TURN * (u - 0.25 * j)
    y = x * x
    sine = x * (1.0 + y * (_S3 + y * (_S5 + y * (_S7 + y * (_S9 + y * (_S11 + y * (_S13 + y * _S15)))))))
    cosine = 1.0 + y * (_C2 + y * (_C4 + y * (_C6 + y * (_C8 + y * (_C10 + y * (_C12 + y * (_C14 + y * _C16)))))))
    odd = (j == 1.0) | (j == 3.0)
    first, second = (cosine if odd else sine), (sine if odd else cosine)
    return (-first if (j == 2.0) | (j == 3.0) else first), (-second if (j == 1.0) | (j == 2.0) else second)
