"""Keys of [flow] that belong to some flows only: defaults, where they are refused, and what --flow leaves of them."""

from __future__ import annotations

from typing import Any

import pytest

from wpoflow.problems.errors import ProblemError
from wpoflow.problems.keys import described
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.solver.records.settings import Settings
from wpoflow.solver.registry import FLOWS, own_step_flows

CONTROL_WORDS = "kind, until, scheme, accuracy, step and anneal"


def with_flow(lines: str) -> str:
    head = (
        '[problem]\ndiscount = 0.9\ntemperature = 0.2\n[action.u]\nbounds = [-1, 1]\ncells = 4\nboundary = "no-flux"\n'
    )
    return f'{head}[cost]\nrunning = "u"\n[flow]\nuntil = 1.0\n{lines}\n'


def test_the_weight_has_a_default_where_there_is_one() -> None:
    found = parse_problem(with_flow('kind = "wasserstein-fisher-rao"'))
    assert found.flow.parameters == {"beta": 1.0}
    assert "beta = 1.0" in found.text
    assert parse_problem(with_flow('kind = "wasserstein-fisher-rao"\nbeta = 2.5')).flow.parameters == {"beta": 2.5}
    assert "beta" not in parse_problem(with_flow("")).text
    assert parse_problem(with_flow('kind = "fisher-rao"')).flow.parameters == {}


@pytest.mark.parametrize("name", FLOWS)
def test_the_resolved_text_of_every_flow_reads_back_as_itself(name: str) -> None:
    step = f"step = {FLOWS[name].step or 0.5}" if name in own_step_flows() else ""
    given = "\n".join(f"{key} = {value}" for key, value in FLOWS[name].required.items())
    problem = parse_problem(with_flow(f'kind = "{name}"\n{step}\n{given}'))
    assert parse_problem(problem.text).flow == problem.flow
    settings = Settings(flow=problem.flow)
    assert Settings.parse(settings.text()) == settings
    assert settings.changed(until=3.0).flow.parameters == problem.flow.parameters


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("beta = 1.0", f"flow.beta: is not a key of wasserstein: choose among {CONTROL_WORDS}"),
        ('kind = "fisher-rao"\nbeta = 1.0', f"flow.beta: is not a key of fisher-rao: choose among {CONTROL_WORDS}"),
        ('kind = "mirror"', "flow.step: must be given: the step of mirror belongs to the algorithm"),
        (
            'kind = "mirror"\nstep = 0.1\nscheme = "euler"',
            "flow.scheme: is not a key of mirror: its step belongs to the algorithm; choose among kind, until and step",
        ),
        (
            'kind = "mirror"\nstep = 0.1\nbeta = 1.0',
            "flow.beta: is not a key of mirror: choose among kind, until and step",
        ),
        ('kind = "wasserstein-fisher-rao"\nbeta = 0', "flow.beta: must be greater than 0, not 0"),
        ('kind = "wasserstein-fisher-rao"\nbeta = inf', "flow.beta: must be a finite number"),
        ('kind = "wasserstein-fisher-rao"\nbeta = "1"', "flow.beta: must be a valid number"),
        ('kind = "fisher_rao"', "flow.kind: 'fisher_rao' is not a choice; choose 'wasserstein', 'fisher-rao', "),
        (
            'kind = "mirror"\nstep = 0.1\nanneal = { schedule = "harmonic", rate = 1.0 }',
            "flow.anneal: is not a key of mirror: choose among kind, until and step",
        ),
        (
            'anneal = { schedule = "linear", rate = 1.0 }',
            "flow.anneal.schedule: 'linear' is not a choice; choose 'harmonic', 'exponential' or 'logarithmic'",
        ),
        ('anneal = { schedule = "harmonic", rate = 0.0 }', "flow.anneal.rate: must be greater than 0"),
        (
            'kind = "policy-iteration"\nstep = 0.5',
            "flow.step: is 1 for policy-iteration, whose flow time counts its steps",
        ),
        (
            'kind = "policy-iteration"\naccuracy = 0.5',
            "flow.accuracy: is not a key of policy-iteration: its step belongs to the algorithm; choose among kind, ",
        ),
        ('anneal = "harmonic"', "flow.anneal: must be a table"),
        ('kind = "mirror"\nstep = -1.0', "flow.step: must be greater than 0"),
    ],
)
def test_a_key_that_the_flow_does_not_know_is_refused_in_one_line(lines: str, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_problem(with_flow(lines))
    assert [line for line in caught.value.lines if words in line]
    assert len(caught.value.lines) == 1


def test_accuracy_and_step_of_an_algorithm() -> None:
    with pytest.raises(ProblemError) as caught:
        parse_problem(with_flow('kind = "mirror"\naccuracy = 1e-3'))
    assert "flow.accuracy: is not a key of mirror: its step belongs to the algorithm" in str(caught.value)
    assert "flow.step: must be given" in str(caught.value)


def test_another_flow_leaves_the_keys_of_the_file_that_were_of_its_own(tmp_path: Any) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(with_flow('kind = "wasserstein-fisher-rao"\nbeta = 2.0\naccuracy = 1e-4\nscheme = "extrapolated"'))
    mirror = read_problem(str(path), flow="mirror", step=0.5).flow
    assert (mirror.kind, mirror.step, mirror.accuracy, mirror.scheme) == ("mirror", 0.5, None, "automatic")
    other = read_problem(str(path), flow="wasserstein").flow
    assert (other.parameters, other.accuracy, other.scheme) == ({}, 1e-4, "extrapolated")
    kept = read_problem(str(path), flow="wasserstein-fisher-rao").flow
    assert kept.parameters == {"beta": 2.0}
    with pytest.raises(ProblemError, match=r"set\['flow.beta'\]: is not a key of fisher-rao"):
        read_problem(str(path), flow="fisher-rao", set={"flow.beta": "3.0"})
    with pytest.raises(ProblemError, match=r"set\['flow.scheme'\]: is not a key of mirror"):
        read_problem(str(path), flow="mirror", step=0.5, set={"flow.scheme": "'euler'"})
    with pytest.raises(ProblemError, match=r"accuracy: is not a key of mirror"):
        read_problem(str(path), flow="mirror", accuracy=1e-3)


def test_the_table_of_keys_says_whose_they_are() -> None:
    found = described()
    assert found["flow.beta"].default == "1 for `gaussian`; 1 for `wasserstein-fisher-rao`"
    assert all(f'"{name}"' in found["flow.kind"].given for name in FLOWS)
