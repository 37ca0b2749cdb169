"""The result of a study: arrays over the swept keys, in memory or read back from ``study.nc``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wpoflow.core.display import Displayed
from wpoflow.core.optional import optional
from wpoflow.core.text import did_you_mean
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.writer import open_run

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class Array:
    """One array of a study: its dimensions, its numbers or texts, and its attributes."""

    dims: tuple[str, ...]
    values: Any
    attributes: Mapping[str, str]


class Study(Displayed):
    """Runs over the values of some keys.

    Attributes
    ----------
    folder : Path
        Where its files are.
    title : str
    dims : tuple of str
        The dimensions of the points: of each group of keys the first.
    arrays : mapping of str to Array
        Coordinates, series, numbers and texts by name; numbers are nan, and texts empty, where a point has none.
    attributes : mapping
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        dims: tuple[str, ...],
        arrays: Mapping[str, Array],
        attributes: Mapping[str, str | int],
    ) -> None:
        self.folder, self.title, self.dims, self.arrays, self.attributes = folder, title, dims, arrays, attributes

    def __repr__(self) -> str:
        sizes = " x ".join(f"{dim} {self.arrays[dim].values.size}" for dim in self.dims)
        counts = ", ".join(f"{number} {status}" for status, number in sorted(self.counts.items()))
        return f"Study({self.title!r}, {sizes}: {counts})"

    def __getitem__(self, name: str) -> Any:
        """An array's numbers or texts by its name."""
        if name not in self.arrays:
            raise KeyError(f"{name!r}; there are {', '.join(self.arrays)}{did_you_mean(name, self.arrays)}")
        return self.arrays[name].values

    @property
    def status(self) -> Any:
        """Of each point, over `dims`: complete, failed, interrupted or missing."""
        return self["status"]

    @property
    def counts(self) -> dict[str, int]:
        """How many points have which status."""
        return dict(Counter(map(str, self.status.ravel())))

    @property
    def short(self) -> int:
        """How many points are complete and did not reach what they were asked for, as a gap before a time."""
        return int(np.count_nonzero(self["reached_goal"] == 0.0))

    def coordinates(self) -> list[str]:
        """The swept keys, and ``time``."""
        return [name for name, array in self.arrays.items() if array.dims == (name,) or self._beside(name)]

    def _beside(self, name: str) -> bool:
        """Whether a key goes together with the first one of its dimension."""
        array = self.arrays[name]
        return len(array.dims) == 1 and array.attributes.get("long_name", "").endswith(", as swept")

    def run(self, **values: int) -> Run:
        """The run of one point, read from its file.

        Parameters
        ----------
        **values
            The place in each dimension of more than one value, as ``**{"problem.temperature": 0}``.

        Raises
        ------
        KeyError
            A dimension is unknown or left out.
        RunFileError
            The point has no run that can be read.
        """
        unknown = [name for name in values if name not in self.dims]
        if unknown:
            raise KeyError(f"{unknown[0]!r} is not a dimension; there are {', '.join(self.dims)}")
        missing = [dim for dim in self.dims if dim not in values and self.arrays[dim].values.size > 1]
        if missing:
            raise KeyError(
                f"{missing[0]!r} is left out, of which there are {self.arrays[missing[0]].values.size} values"
            )
        name = self["point"][tuple(values.get(dim, 0) for dim in self.dims)]
        return open_run(self.folder / f"{name}.h5")

    def to_xarray(self) -> xarray.Dataset:
        """The study as an xarray Dataset, identical to what `xarray.open_dataset` reads from its file.

        Raises
        ------
        ImportError
            xarray is not installed (``pip install "wpoflow[xarray]"``).
        """
        library = optional("xarray", "to_xarray needs xarray", "xarray")
        parts = {name: (array.dims, array.values, dict(array.attributes)) for name, array in self.arrays.items()}
        coordinates = {name: parts.pop(name) for name in self.coordinates()}
        found: xarray.Dataset = library.Dataset(parts, coordinates, dict(self.attributes))
        return found

    def failures(self) -> list[tuple[dict[str, Any], str]]:
        """Of each point that failed its values and its sentence."""
        found = []
        for place in np.argwhere(self.status == "failed"):
            values = {
                key: self[key][place[self.dims.index(self.arrays[key].dims[0])]]
                for key in self.coordinates()
                if key != "time"
            }
            found.append((values, str(self["stop_reason"][tuple(place)])))
        return found
