"""All that a run was asked for besides its problem: what resuming it needs to know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wpoflow.solver.records.schedule import Series, SnapshotTimes
from wpoflow.solver.records.stop import StopCriteria


@dataclass(frozen=True)
class RunSettings:
    """Arguments of a run, resolved.

    Attributes
    ----------
    until : mapping
        Stop criteria by name.
    step, accuracy : float or None
        One of them is a number.
    scheme, flow, solver : str
        Names; of a flow that is no name, its class.
    series, snapshots
        As for `solver.runs.evolve.evolve`.
    """

    until: Mapping[str, float]
    step: float | None
    accuracy: float | None
    scheme: str
    flow: str
    solver: str
    series: Series | None
    snapshots: SnapshotTimes

    @property
    def criteria(self) -> StopCriteria:
        """The stop criteria."""
        return StopCriteria.of(self.until)

    def text(self) -> str:
        """As JSON; numbers keep every digit."""
        return json.dumps(asdict(self), default=_plain)

    @staticmethod
    def of(text: str) -> RunSettings:
        """From `text`."""
        return RunSettings(**json.loads(text))

    def attributes(self) -> dict[str, str]:
        """As attributes of the run file."""
        length = {"accuracy": repr(self.accuracy)} if self.step is None else {"step": repr(self.step)}
        return {"scheme": self.scheme, "flow": self.flow, "bellman_solver": self.solver, **length}


def _plain(value: Any) -> Any:
    """Sequences and numbers of other libraries as those of JSON."""
    plain: Callable[[], Any] = getattr(value, "tolist", lambda: list(value))
    return plain()
