"""Names for the array types used on every floor."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int32]
AnyArray = NDArray[Any]
Array = TypeVar("Array", bound=AnyArray)

underflow_to_zero = np.errstate(under="ignore")
"""Decorates functions: what is below the least number becomes zero there, also where `numpy.seterr` has it raise."""


def read_only(array: Array) -> Array:
    """A view of an array that cannot be written to.

    Kernels are compiled once for arrays that can and once for those that cannot be written to: whatever comes at times
    from an axis, whose arrays cannot, is passed by this view.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def real_array(values: Any, what: str) -> FloatArray:
    """Numbers that a caller gave, as an array of float64; a copy only where the type is another.

    Raises
    ------
    ValueError
        They are masked (what lies under a mask is no number that was meant), complex, or no numbers.
    """
    if _masked(values):
        raise ValueError(
            f"{what}: a masked array, where no number is known under the mask; fill it, as by numpy.ma.filled(x, 0.0)"
        )
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        words = "complex" if array.dtype.kind == "c" else f"of type {array.dtype}"
        raise ValueError(f"{what}: {words}; it must be of real numbers, as from numpy.asarray(x, dtype=float)")
    return np.asarray(array, dtype=np.float64)


def _masked(values: Any) -> bool:
    """Whether there is a mask: on the array, on entries of a sequence of arrays, or on a sparse matrix's entries."""
    if isinstance(values, list | tuple):
        return any(_masked(entry) for entry in values)
    if isinstance(values, np.ma.MaskedArray) or isinstance(getattr(values, "data", None), np.ma.MaskedArray):
        return True
    mask = getattr(values, "mask", None)  # of other libraries' masked arrays; pandas has a method of this name
    return mask is not None and not callable(mask)
