"""Studies of the theory's limits, as plain text: tables, then the sentences that follow from them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from wpoflow.views.refinement_table import columns

if TYPE_CHECKING:
    from wpoflow.validation.limits.study import Limit, Table

WIDTH = 110


def table_text(table: Table) -> str:
    """Title, heads of the columns, rows: numbers that are not whole to four digits."""
    heads = list(table.rows[0]) if table.rows else []
    rows = (
        [f"{row[head]:.4g}" if isinstance(row[head], float) else str(row[head]) for head in heads] for row in table.rows
    )
    return f"{table.title}\n{columns([heads, *rows])}"


def limit_text(limit: Limit) -> str:
    """One study."""
    sentences = {"fails": limit.fails, "flow": limit.flow, "monitors": limit.monitors, "conclusion": limit.conclusion}
    lines = [
        textwrap.fill(sentence, WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=" " * 14)
        for name, sentence in sentences.items()
    ]
    return "\n\n".join([limit.name, *map(table_text, limit.tables), "\n".join(lines)])
