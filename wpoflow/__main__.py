"""The command ``wpoflow``, also as ``python -m wpoflow``: signals first, then all else."""

from wpoflow.core.interrupt import CommandSignals, leave

try:
    SIGNALS = CommandSignals()
    SIGNALS.install()

    import os

    os.environ["MPLBACKEND"] = "agg"  # no command opens a window, whatever backend the user has for them

    from wpoflow.cli import main as run_command
except KeyboardInterrupt:  # within the first milliseconds, before the handler was in place
    leave()


def main() -> None:
    """Entry point of the console command; the signals stay taken over until the process has ended."""
    try:
        run_command(signals=SIGNALS)
    finally:
        SIGNALS.ignore()


if __name__ == "__main__":
    main()
