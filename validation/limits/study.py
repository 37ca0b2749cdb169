"""What a study of the theory's edge finds: tables of numbers, and the sentences that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wpoflow.validation.finding import json_ready

Entry = float | int | str
Row = Mapping[str, Entry]


@dataclass(frozen=True)
class Table:
    """Numbers of one kind.

    Attributes
    ----------
    title : str
        What is tabulated, on which grid.
    rows : tuple of mappings from column to entry
        All with the same columns.
    """

    title: str
    rows: tuple[Row, ...]

    def column(self, name: str) -> list[Any]:
        """The entries of a column, from the first row to the last."""
        return [row[name] for row in self.rows]

    def row(self, **entry: Entry) -> Row:
        """The first row that holds the entry, given as ``column=entry``."""
        return next(row for row in self.rows if entry.items() <= row.items())


@dataclass(frozen=True)
class Limit:
    """One limit of the theory.

    Attributes
    ----------
    name : str
        As given to ``wpoflow limits``.
    fails : str
        Which hypothesis fails, or which constant collapses.
    tables : tuple of Table
    flow : str
        What the flow actually does.
    growing : tuple of str
        The monitors of regularity that keep growing under refinement, by name of the series.
    monitors : str
        The same in a sentence.
    conclusion : str
        Follows from the numbers: other numbers make another sentence.
    """

    name: str
    fails: str
    tables: tuple[Table, ...]
    flow: str
    growing: tuple[str, ...]
    monitors: str
    conclusion: str

    def table(self, part: str) -> Table:
        """The table whose title begins with ``part``.

        Raises
        ------
        KeyError
            There is none.
        """
        for table in self.tables:
            if table.title.startswith(part):
                return table
        raise KeyError(f"{part}: choose among {', '.join(table.title for table in self.tables)}")

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; numbers that are not finite become text."""
        return {
            "name": self.name,
            "fails": self.fails,
            "tables": json_ready([asdict(table) for table in self.tables]),
            "flow": self.flow,
            "growing_monitors": list(self.growing),
            "monitors": self.monitors,
            "conclusion": self.conclusion,
        }
