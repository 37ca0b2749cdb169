"""``wpoflow limits``: tables, sentences and the report, through the front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.cli import cli
from wpoflow.validation import limits
from wpoflow.validation.limits.study import Limit, Table

TABLE = Table("a table", ({"tau": 0.1, "gap": 1.0 / 3.0, "kappa": float("inf"), "word": "yes", "cells": 12},))
SMALL = Limit("small", "nothing fails", (TABLE,), "it flows", ("score_max",), "score_max grows", "all is well")


def stored(path: str) -> list[dict[str, object]]:
    """The studies of a report."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    assert content["schema"] == 1
    assert content["versions"]["wpoflow"]
    return list(content["limits"])


@pytest.mark.slow
def test_a_study_is_printed_and_stored(call: Call) -> None:
    status, out, err = call("limits", "heavy_tails", "--report", "made/report")
    assert (status, err) == (0, "")
    (found,) = stored("made/report/limits.json")
    assert found["name"] == "heavy_tails"
    assert " ".join(str(found["conclusion"]).split()) in " ".join(out.split())
    tables = found["tables"]
    assert isinstance(tables, list)
    for table in tables:
        assert table["title"] in out
        for row in table["rows"]:
            assert all(entry in out for entry in (f"{v:.4g}" for v in row.values() if isinstance(v, float)))
    assert not list(Path("made/report").glob("*.part"))


def test_without_names_all_are_studied_once(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def study(name: str) -> Callable[[], Limit]:
        def run() -> Limit:
            asked.append(name)
            return SMALL

        return run

    monkeypatch.setattr(limits, "LIMITS", {"one": study("one"), "two": study("two")})
    assert call("limits", "--quiet") == (0, "", "")
    assert asked == ["one", "two"]
    status, out, _ = call("limits", "two", "two", "--report", ".")
    assert (status, asked) == (0, ["one", "two", "two"])
    assert "0.3333" in out
    assert "all is well" in out
    (found,) = stored("limits.json")
    assert found["tables"] == [{"title": "a table", "rows": [{**TABLE.rows[0], "kappa": "inf"}]}]
    assert found["growing_monitors"] == ["score_max"]


def test_the_help_names_every_study() -> None:
    text = str(cli.commands["limits"].help)
    assert all(name in text for name in limits.LIMITS)


def test_the_former_name_is_an_alias(call: Call) -> None:
    status, out, err = call("bend", "--help")
    assert (status, err) == (0, "")
    assert out.replace("wpoflow bend", "wpoflow limits") == call("limits", "--help")[1]
    assert "bend" not in cli.commands


def test_the_page_shows_every_study() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "where_the_theory_bends.md").read_text(encoding="utf-8")
    assert all(f"`wpoflow limits {name}`" in page for name in limits.LIMITS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch"], "nosuch: no such study; choose among metastability, jump_cost"),
        (["discount", "--report", "file"], "--report file: exists and is no folder"),
        (["--threads", "0"], "'--threads'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(call: Call, arguments: list[str], says: str) -> None:
    Path("file").write_text("")
    check_refusal(call, ["limits", *arguments], 2, says)
