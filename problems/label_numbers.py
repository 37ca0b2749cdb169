"""Labels in expressions: ``move == "up"`` compares an axis of labels with the number of one of them.

The text of the label is replaced by its number in the syntax tree, once and for all; it is kept as the ``kind`` of the
constant, which Python has for prefixes of texts, for those who write the expression down again.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from wpoflow.core.text import did_you_mean

WHERE = 'a text can only be compared, by == or !=, with an axis of labels, as in move == "up"'
MOST_LISTED = 20


def number_labels(node: ast.Compare, labels: Mapping[str, Sequence[str]]) -> str:
    """Replace the label in a comparison by its number; what is wrong with it, in words, empty if nothing is.

    Parameters
    ----------
    node : ast.Compare
        Changed in place if it is of an axis of labels and a label.
    labels : mapping of str to sequence of str
        By name of the axis.
    """
    sides = [node.left, *node.comparators]
    if not any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides):
        return ""
    match sides, node.ops:
        case ([ast.Name(id=name), ast.Constant(value=str() as label) as text], [ast.Eq() | ast.NotEq()]) | (
            [ast.Constant(value=str() as label) as text, ast.Name(id=name)],
            [ast.Eq() | ast.NotEq()],
        ) if name in labels:
            known = list(labels[name])
            if label not in known:
                return (
                    f"{label!r} is not a label of {name}; its labels are {_listed(known)}{did_you_mean(label, known)}"
                )
            text.value, text.kind = known.index(label), label
            return ""
    return WHERE + (f"; axes of labels are {', '.join(labels)}" if labels else "; there is none")


def _listed(labels: Sequence[str]) -> str:
    shown = [repr(label) for label in labels[:MOST_LISTED]]
    more = len(labels) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])
