"""Attempts at one time step: which failures are worth a shorter one, and when to give up."""

from __future__ import annotations

from collections.abc import Callable

MOST_REJECTED = 60  # attempts at one step
MOST_FAILURES = 5  # attempts in succession whose equations could not be solved
RETRY = 0.25  # length of the next attempt after a failure


class StepVanishedError(ArithmeticError):
    """No step, however short, met the accuracy asked for."""


def no_watch() -> None:
    """Watch nothing."""


class Attempts:
    """Counts the attempts at one step, and gives up where another one is hopeless.

    Parameters
    ----------
    adaptive : bool
        Whether the step may be shortened; a fixed step that fails ends the run.
    least : callable
        Gives the step below which errors are rounding whatever the accuracy.
    worst : callable
        Gives words on where the error is largest.
    watch : callable
        Called before every attempt; may raise to end the run between two of them.
    """

    def __init__(
        self, adaptive: bool, least: Callable[[], float], worst: Callable[[], str], watch: Callable[[], None]
    ) -> None:
        self._adaptive, self._least, self._worst, self._watch = adaptive, least, worst, watch
        self._failures = 0
        self.rejected = 0

    def begin(self, size: float) -> None:
        """Before an attempt with steps of this size.

        Raises
        ------
        StepVanishedError
            60 attempts were rejected, or the step became shorter than ``least``.
        """
        self._watch()
        if self.rejected >= MOST_REJECTED or (self.rejected > 0 and not size >= self._least()):
            raise StepVanishedError(
                f"step size {size:.3g} after {self.rejected} rejected attempts at one step, worst at {self._worst()}"
            )

    def reject(self) -> None:
        """After an attempt whose error was too large."""
        self.rejected += 1
        self._failures = 0

    def failed(self, error: ArithmeticError, size: float) -> float:
        """After an attempt that could not be carried out: the size of the next one.

        Raises
        ------
        ArithmeticError
            The error itself, if the step is fixed or five attempts in succession failed.
        """
        self.rejected += 1
        self._failures += 1
        if not self._adaptive or self._failures >= MOST_FAILURES:
            raise error
        return RETRY * size
