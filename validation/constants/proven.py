"""Proven lower bounds: numbers that a guaranteed rate may be made of, with their origin.

A rate is called guaranteed only if every factor of it is a proven lower bound.  An estimate of a constant, as the
minimised alpha (`log_sobolev.minimise_log_sobolev`), a Rayleigh quotient or a computed eigenvalue
(`spectral_gap.spectral_gap`), is an array; what is proven is a `ProvenBound`, which is none: it takes part in no
arithmetic but that of this class, all of which keeps a lower bound one.  The functions of `validation.rates` and
`validation.certificate` that give guaranteed rates take nothing else (`proven`, and the type checker).

Bounds come from `lower_bounds.LowerBounds.proven` (alpha, each with its proof in a ``bound_*.py``) and
`verified_gap` (lambda).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ProvenBound:
    """A proven lower bound of one constant, of one state or of several.

    Parameters
    ----------
    value : array of any shape
        The bound, a rate; infinite where there is nothing to relax.  Kept as a copy that cannot be written to.
    names : tuple of str
        What each entry was proven by, in the order of the flattened value; or one name for all.
    source : str
        Where the proof stands.

    Raises
    ------
    TypeError
        The value is itself a proven bound.
    ValueError
        A negative entry, or names that do not fit; one that is not a number guarantees nothing and is let through.
    """

    value: FloatArray
    names: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        if isinstance(self.value, ProvenBound):
            raise TypeError("value: an array is needed, this is already a proven bound")
        value = np.array(self.value, dtype=np.float64)
        if np.any(value < 0.0):
            raise ValueError(f"{self.names[0]}: a lower bound of a rate is not negative, not {value.min():.3g}")
        if len(self.names) not in (1, value.size):
            raise ValueError(f"{len(self.names)} names for {value.size} bounds; give one, or one for each")
        value.flags.writeable = False
        object.__setattr__(self, "value", value)

    def name(self, index: int) -> str:
        """What one entry was proven by."""
        return self.names[index if len(self.names) > 1 else 0]

    def least(self) -> ProvenBound:
        """The least entry, of shape ()."""
        where = int(np.argmin(self.value))
        return ProvenBound(np.asarray(self.value.flat[where]), (self.name(where),), self.source)

    def select(self, states: IntArray) -> ProvenBound:
        """Some of the entries, by their positions."""
        names = self.names if len(self.names) == 1 else tuple(self.names[int(k)] for k in states)
        return ProvenBound(self.value[states], names, self.source)

    def lowered(self, factor: FloatArray | float) -> ProvenBound:
        """Multiplied by a factor that is proven to be small enough, nowhere above one.

        Raises
        ------
        ValueError
            A factor above one, which would be a claim of more than is proven.
        """
        if np.any(np.asarray(factor) > 1.0):
            raise ValueError(f"a proven bound can be lowered only, not multiplied by {np.max(factor):.6g}")
        return ProvenBound(self.value * factor, self.names, self.source)

    def or_better(self, other: ProvenBound) -> ProvenBound:
        """The larger of two bounds of the same constants, entry by entry."""
        better = other.value > self.value
        names = tuple((other if took else self).name(k) for k, took in enumerate(better.flat))
        sources = self.source if self.source == other.source else f"{self.source}; {other.source}"
        return ProvenBound(np.where(better, other.value, self.value), names, sources)


def proven(bound: ProvenBound) -> FloatArray:
    """The numbers of a proven bound; whoever gives a guaranteed rate takes them by this.

    Raises
    ------
    TypeError
        Anything else: a number or an array may be an estimate.
    """
    if not isinstance(bound, ProvenBound):
        raise TypeError(
            f"a guaranteed rate is made of proven lower bounds only, not of a {type(bound).__name__}: "
            "take LowerBounds.proven (alpha) or proven_gap (lambda)"
        )
    return bound.value
