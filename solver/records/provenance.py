"""What a run was made with: version, packages, and a hash over the sources."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache

from wpoflow.core.floors import source_files

VERSION = "0.1.0"

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "h5py")


@cache
def source_hash() -> str:
    """SHA-256, in hexadecimal, over the names and contents of all sources of all floors."""
    digest = hashlib.sha256()
    for name, path in source_files(".py", ".toml"):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@cache
def package_versions() -> str:
    """Versions of Python and of the packages that numbers depend on, as JSON."""
    from importlib import metadata  # slow to import, and not needed for the version

    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return json.dumps(versions)
