"""What is said of a file that was read all the same: a category of warning that imports nothing."""

from __future__ import annotations


class RunFileWarning(UserWarning):
    """A run file was read that is not as it was left; the message is one line naming the file."""
