"""The manual builds without a warning, and its pages need nothing but their own folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import click
import pytest

from docs.extensions.mathml import mathml
from tests.docs.pages import DOCS, pages
from wpoflow.cli import cli

ROOT = DOCS.parent


class _Resources(HTMLParser):
    """What a page loads, and where its links go."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.add(found.get("id", ""))
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif tag == "link":
            self.loaded.append(found.get("href", ""))
        for name in ("src", "srcset", "data", "poster"):
            self.loaded += [found[name]] if name in found else []


def _build(folder: Path, *options: str) -> None:
    """Build the manual without a warning, and without a network."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", *options, "-b", "html", "docs", str(folder)],
        cwd=ROOT,
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _resources(page: Path) -> _Resources:
    found = _Resources()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def every_page_is_built(built: Path) -> None:
    for page in pages():
        assert (built / page.relative_to(DOCS).with_suffix(".html")).is_file()


def pages_load_nothing_from_elsewhere(built: Path) -> None:
    read = list(built.rglob("*.html"))
    assert len(read) > 20
    for page in read:
        for address in _resources(page).loaded:
            parts = urlparse(address)
            assert not (parts.scheme or parts.netloc) or parts.scheme == "data", f"{page.name} loads {address}"
            if parts.path:
                assert (page.parent / unquote(parts.path)).resolve().is_file(), f"{page.name}: {address} is missing"
    for sheet in built.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text), sheet.name


def links_within_the_manual_lead_somewhere(built: Path) -> None:
    anchors = {page.resolve(): _resources(page).anchors for page in built.rglob("*.html")}
    for page in built.rglob("*.html"):
        for address in _resources(page).links:
            parts = urlparse(address)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            assert target in anchors, f"{page.name}: {address}"
            if parts.fragment:
                assert unquote(parts.fragment) in anchors[target], f"{page.name}: {address}"


def formulas_are_mathml(built: Path) -> None:
    source = (DOCS / "theory.md").read_text(encoding="utf-8")
    text = (built / "theory.html").read_text(encoding="utf-8")
    assert text.count("<math") == len(re.findall(r"\$\$.+?\$\$|\$.+?\$", source, re.DOTALL)) > 40
    assert "\\frac" not in text
    assert "$$" not in text


def every_command_and_option_is_there(built: Path) -> None:
    anchors = _resources(built / "reference" / "commands.html").anchors
    for name, command in cli.commands.items():
        options = [option for option in command.params if isinstance(option, click.Option)]
        wanted = {f"cmdoption-wpoflow-{name}-{spelling.lstrip('-')}" for option in options for spelling in option.opts}
        assert f"wpoflow-{name}" in anchors
        assert wanted <= anchors, name


CHECKS = (
    every_page_is_built,
    pages_load_nothing_from_elsewhere,
    links_within_the_manual_lead_somewhere,
    formulas_are_mathml,
    every_command_and_option_is_there,
)


def test_the_manual_without_the_figures_that_runs_are_made_for(tmp_path: Path) -> None:
    _build(tmp_path, "-D", "figures_drawn=0")
    for check in CHECKS:
        check(tmp_path)


@pytest.mark.slow
def test_the_manual(tmp_path: Path) -> None:
    _build(tmp_path)
    for check in CHECKS:
        check(tmp_path)
    assert len(list((tmp_path / "_images").glob("*.png"))) > 20


def test_a_formula_with_an_unknown_command_is_refused() -> None:
    assert "<mfrac>" in mathml(r"\frac{a}{b}")
    with pytest.raises(ValueError, match="unknown command"):
        mathml(r"\notacommand{a}")
