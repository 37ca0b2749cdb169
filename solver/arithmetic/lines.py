"""Blocks of lines: many lines of action cells side by side, so that loops over lines vectorise.

An array (S, A) in C order, seen along one action axis of n cells, is a tensor [outer, n, stride]: ``stride`` the
number of cells of all later axes together, ``outer`` that of all states and earlier axes.  Line ``outer * stride +
inner`` is its n cells [outer, :, inner]; the lines are numbered through, over the borders of states.  A block is an
array (n, lanes) that holds up to LANES consecutive lines, one in each column.

Each line is worked on by itself, with the same operations in the same order wherever in whichever block it stands:
results depend neither on the number of threads nor on the number of states.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

LANES = 64  # columns of a block: some vectors of every instruction set, while the block stays in the second cache
TILE = 8  # lines transposed at once: a cache line of a row of the block, and eight lines
PARTS = 64  # pieces the lines are cut into for the threads; each has its own workspace


@kernel()
def block_sizes(lines: int) -> tuple[int, int, int]:
    """Columns of a block, number of blocks, and number of pieces, for so many lines: blocks of about equal size."""
    blocks = (lines + LANES - 1) // LANES
    return (lines + blocks - 1) // blocks, blocks, min(PARTS, blocks)


@kernel()
def state_groups(states: int, per_state: int) -> tuple[int, int, int, int]:
    """States that share a block, its columns, number of such groups, and number of pieces.

    For sums over the lines of a state: a block holds whole states, or a state takes several blocks, so that each state
    has one writer.
    """
    together = min(max(1, LANES // per_state), states)
    groups = (states + together - 1) // together
    return together, min(LANES, together * per_state), groups, min(PARTS, groups)


@kernel()
def _copy(source: FloatArray, target: FloatArray) -> None:
    """Copy entry by entry."""
    for j in range(target.size):
        target[j] = source[j]


@kernel()
def _load_tile(x: FloatArray, block: FloatArray, start: int) -> None:
    """Transpose TILE lines, one after another in x, into columns start, ... of a block."""
    n = block.shape[0]
    for k in range(n):
        row = block[k, start : start + TILE]
        for j in range(TILE):
            row[j] = x[j * n + k]


@kernel()
def _store_tile(block: FloatArray, start: int, x: FloatArray) -> None:
    """Transpose columns start, ... of a block into TILE lines, one after another in x."""
    n = block.shape[0]
    for k in range(n):
        row = block[k, start : start + TILE]
        for j in range(TILE):
            x[j * n + k] = row[j]


@kernel()
def load_lines(x: FloatArray, stride: int, first: int, block: FloatArray, column: int, lanes: int) -> None:
    """Copy ``lanes`` lines first, first + 1, ... of a flat array x into the columns column, ... of a block."""
    n = block.shape[0]
    if stride == 1:
        whole = lanes - lanes % TILE
        for j in range(0, whole, TILE):
            _load_tile(x[(first + j) * n : (first + j + TILE) * n], block, column + j)
        for j in range(whole, lanes):
            line = x[(first + j) * n : (first + j + 1) * n]
            for k in range(n):
                block[k, column + j] = line[k]
        return
    start = 0
    while start < lanes:
        outer, inner = divmod(first + start, stride)
        run = min(stride - inner, lanes - start)
        for k in range(n):
            base = (outer * n + k) * stride + inner
            _copy(x[base : base + run], block[k, column + start : column + start + run])
        start += run


@kernel()
def store_lines(block: FloatArray, column: int, lanes: int, stride: int, first: int, x: FloatArray) -> None:
    """Copy ``lanes`` columns column, ... of a block to lines first, first + 1, ... of a flat array x."""
    n = block.shape[0]
    if stride == 1:
        whole = lanes - lanes % TILE
        for j in range(0, whole, TILE):
            _store_tile(block, column + j, x[(first + j) * n : (first + j + TILE) * n])
        for j in range(whole, lanes):
            line = x[(first + j) * n : (first + j + 1) * n]
            for k in range(n):
                line[k] = block[k, column + j]
        return
    start = 0
    while start < lanes:
        outer, inner = divmod(first + start, stride)
        run = min(stride - inner, lanes - start)
        for k in range(n):
            base = (outer * n + k) * stride + inner
            _copy(block[k, column + start : column + start + run], x[base : base + run])
        start += run


@kernel()
def rises_of_lines(row: FloatArray, n: int, faces: int, stride: int, lanes: int) -> FloatArray:
    """Differences over the faces of one axis of an array (A,) that all states share, for blocks from any line on.

    Returns
    -------
    array (faces, A/n + lanes)
        Column j holds row[next cell] - row[cell] of line j modulo A/n, so that a block of up to ``lanes`` lines whose
        first is L finds its differences in consecutive columns from L modulo A/n on.
    """
    lines = row.size // n
    rises = np.empty((faces, lines + lanes))
    for k in range(faces):
        after = k + 1 if k + 1 < n else 0
        for outer in range(lines // stride):
            base = outer * n * stride
            for inner in range(stride):
                rise = row[base + after * stride + inner] - row[base + k * stride + inner]
                rises[k, outer * stride + inner] = rise
        # whole copies, and of a single line its one number: entry by entry each would wait for the one before
        if lines == 1:
            rises[k, 1:] = rises[k, 0]
        else:
            for start in range(lines, lines + lanes, lines):
                stop = min(start + lines, lines + lanes)
                _copy(rises[k, : stop - start], rises[k, start:stop])
    return rises
