"""How the tests call a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wpoflow.cli import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a command in an empty folder; gives its status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run


def check_refusal(call: Call, arguments: list[str], status: int, says: str) -> None:
    """A refusal takes one line, says what is asked of it, and leaves the folder as it was."""
    before = sorted(Path().iterdir())
    found, out, err = call(*arguments)
    assert (found, out) == (status, "")
    assert says in err
    assert err.startswith("wpoflow: ")
    assert len(err.splitlines()) == 1
    assert sorted(Path().iterdir()) == before
