"""``python -m wpoflow`` is the command ``wpoflow``."""

from wpoflow.cli import main

if __name__ == "__main__":
    main()
