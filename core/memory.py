"""How much memory there is."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CGROUP_USED = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")


def available_bytes() -> int:
    """Memory this process may still take: of the machine, or of its control group if that is less."""
    available = int(psutil.virtual_memory().available)
    for limit_path, used_path in zip(_CGROUP_LIMITS, _CGROUP_USED, strict=True):
        limit, used = _number(limit_path), _number(used_path)
        if limit is not None and used is not None:
            available = min(available, max(0, limit - used))
    return available


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
