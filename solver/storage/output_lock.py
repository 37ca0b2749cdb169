"""One run to a file: a lock that ends with the process that holds it.

The lock is the system's (``flock``) on ``RUN.h5.lock``, so that a run that crashed or was killed holds nothing; only
the file, which is empty of meaning then, may be left.  It is removed while still locked, and whoever opened it before
that sees that its name no longer leads to it and tries again: no two processes hold locks of one name.  Where there is
no ``flock`` (Windows, some network file systems) nothing is locked.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

from wpoflow.solver.storage.output_path import lock_path

UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class OutputLock:
    """The right to write one run file, until it is released or the process ends.

    Parameters
    ----------
    path : path
        The run file.

    Raises
    ------
    FileExistsError
        Another run is writing the file; names its process.
    OSError
        The lock cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = lock_path(path)
        self._handle: int | None = _locked(self._path, path)

    def __enter__(self) -> OutputLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the file free."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def _locked(lock: Path, path: str | os.PathLike[str]) -> int | None:
    """An open and locked file of this name; None where the system has no locks."""
    while fcntl is not None:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError:
            return None  # nor can the run be written, which is said in better words when that is tried
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.exists() and os.path.samestat(os.fstat(handle), lock.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle
            os.close(handle)  # removed by whoever held it before
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise FileExistsError(f"{path} is being written by another run (process {holder})") from None
        except OSError as error:
            os.close(handle)
            if error.errno not in UNSUPPORTED:
                raise
            return None
    return None
