"""The generated reference is complete: every command, key, data set, attribute, name and claim is on its page."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

import wpoflow
from docs.extensions import claim_list, key_tables, public_names, run_schema
from tests.docs.pages import DOCS, blocks
from wpoflow.problems import keys
from wpoflow.problems.load import load_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.problems.tables import Tables
from wpoflow.solver.records.layout import ATTRIBUTES, OPTIMUM_ATTRIBUTES, PARAMETERS, PROBLEM_ARRAYS, variables
from wpoflow.solver.records.series import FURTHER_SERIES
from wpoflow.solver.registry import FLOWS, scheme_names
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.problem_arrays import problem_arrays
from wpoflow.validation.claims import CLAIMS, exact_solution


def test_every_key_of_a_problem_file_has_a_meaning() -> None:
    assert keys.keys().keys() == keys.MEANINGS.keys()
    assert all(keys.MEANINGS.values())
    top = {key.partition(".")[0].removesuffix("[]") for key in keys.MEANINGS}
    assert top == set(Tables.model_fields)


def test_a_key_without_a_meaning_breaks_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(keys.MEANINGS, "flow.until.gap")
    with pytest.raises(ValueError, match=r"flow\.until\.gap"):
        key_tables.markdown()


def test_kinds_ranges_and_defaults_come_from_the_models() -> None:
    rows: dict[str, tuple[str, str]] = {}
    for line in key_tables.markdown().splitlines():
        if line.startswith("| `"):
            name, kind, default, _ = (part.strip() for part in line.strip("|").split(" | ", 3))
            rows.setdefault(name, (kind, default))
    assert rows["`discount`"] == ("number > 0, < 1", "must be given")
    assert rows["`temperature`"] == ("number > 0", "must be given")
    assert rows["`cells`"][0] == "whole number ≥ 1"
    assert rows["`running`"] == ("expression", "must be given")
    assert rows["`potential`"] == ("expression", "`0`")
    assert rows["`boundary`"] == ('`"clamp"`, `"reflect"`, `"periodic"`', "`clamp`")
    assert rows["`kind`"] == (", ".join(f'`"{name}"`' for name in FLOWS), "`wasserstein`")
    assert rows["`scheme`"] == (", ".join(f'`"{name}"`' for name in scheme_names()), "`automatic`")
    assert rows["`snapshots`"][1] == "30"
    assert rows["`NAME`"] == ("number", "–")
    assert rows["`AXIS`"] == ("expression", "–")
    assert rows["`series.times`"][0] == "list of numbers ≥ 0"


def test_defaults_said_in_words_are_those_of_the_models() -> None:
    (bandit,) = [block for block in blocks(DOCS / "howto" / "state_in_a_file.md") if block.caption == "bandit.toml"]
    tables = parse_problem(bandit.text).tables
    assert (tables.record.series.first, tables.record.series.per_decade, tables.record.snapshots) == (1e-3, 20, 30)


@pytest.mark.parametrize(("accuracy", "step"), [(1e-2, None), (None, 0.1)])
def test_what_is_in_a_run_file_is_in_the_table(tmp_path: Path, accuracy: float | None, step: float | None) -> None:
    """Data sets with their dimensions, and attributes; the table has none that no file has."""
    text, path = run_schema.markdown(), tmp_path / "run.h5"
    mdp = load_problem("lqr", cells={"x": 4, "u": 3})
    first = evolve(mdp, until={"steps": 1})
    run = evolve(mdp, until={"steps": 2}, output=path, accuracy=accuracy, step=step, initial=first)
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in found:
            dims = [next(iter(dim.keys()), name).rpartition("/")[2] for dim in file[name].dims]
            assert f"| `/{name}` | ({', '.join(dims)}) | " in text
        others = {"limits", "remark", "reflection", *({"step"} if step is None else {"accuracy", "accuracy_floor"})}
        assert set(file.attrs) == set(ATTRIBUTES) - others
        assert set(file["optimum"].attrs) == set(OPTIMUM_ATTRIBUTES)
    table = variables(run.states, run.actions).values()
    parameters = {path for entry in table if entry.name in PARAMETERS for path in (entry.path, *entry.scales_beside)}
    further = {"problem", *FURTHER_SERIES, *parameters}
    assert sorted(found) == sorted(entry.path for entry in table if further.isdisjoint((entry.group, entry.path)))


def test_every_array_of_a_problem_in_python_is_in_the_table() -> None:
    mdp = wpoflow.from_environment(
        "MountainCarContinuous-v0", cells={"position": 5, "velocity": 5, "force": 2}, discount=0.9, temperature=1.0
    )
    kept = set(problem_arrays(mdp))
    assert {"cost", "initial_policy", "termination"} <= kept <= set(PROBLEM_ARRAYS)


def test_every_public_name_is_in_one_group() -> None:
    text = public_names.markdown()
    assert all(f"wpoflow.{name}\n" in text for name in wpoflow.__all__ if name != "__version__")
    grouped = [name for names in public_names.GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))


def test_every_claim_is_on_the_pages() -> None:
    names = [*CLAIMS, exact_solution.NAME]
    listed, theory = claim_list.markdown(), (DOCS / "theory.md").read_text(encoding="utf-8")
    explained = (DOCS / "validation.md").read_text(encoding="utf-8")
    for name in names:
        assert f"### {name}\n" in listed
        assert f"`{name}`" in theory, f"{name} is not in theory.md"
        assert f"`{name}`" in explained, f"{name} is not in validation.md"


def test_the_evolve_of_the_manual_is_public() -> None:
    assert wpoflow.evolve is evolve
    assert wpoflow.load_problem is load_problem


def test_the_tutorial_shows_the_problem_its_figure_is_made_of() -> None:
    """It can be followed as plain text, too, so that the file stands on the page and is not included."""
    (shown,) = (block.text for block in blocks(DOCS / "tutorial.md") if block.caption == "reservoir.toml")
    assert shown == (DOCS / "problems" / "reservoir.toml").read_text(encoding="utf-8")
