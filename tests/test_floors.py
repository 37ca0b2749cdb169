"""The house rules that a reader relies on: imports go down, kernels stand apart, files stay short."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from wpoflow.core.floors import FLOORS, FRONT_DOOR, SOLVER_FLOORS, source_files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = dict(source_files(".py"))
LEVELS = [*FLOORS, FRONT_DOOR]
KERNEL_DOOR = "wpoflow.core.compile"
LONGEST = 400
MOST_IN_A_FOLDER = 14  # of solver/


def imported_modules(tree: ast.AST) -> set[str]:
    """Dotted names of all modules imported anywhere in a file, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which floor is meant"
            assert node.module is not None
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def floor_of(module: str) -> str:
    """The floor of a module of ours; the front door for its own files, nothing for foreign modules."""
    parts = module.split(".")
    if parts[0] != FRONT_DOOR:
        return ""
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else FRONT_DOOR


def solver_level(module: str) -> int:
    """On which floor inside solver/ a module is; -1 outside."""
    parts = module.split(".")
    levels = [level for level, rooms in enumerate(SOLVER_FLOORS) for room in rooms if parts[1:3] == ["solver", room]]
    return levels[0] if levels else -1


def climbs(module: str, imported: set[str]) -> set[str]:
    """Imports that go up the tower, or up or aside to another folder inside solver/."""
    own = LEVELS.index(floor_of(module))
    up = {name for name in imported if floor_of(name) and LEVELS.index(floor_of(name)) > own}
    level = solver_level(module)
    for name in imported:
        beside = solver_level(name) == level >= 0 and name.split(".")[2] != module.split(".")[2]
        if level >= 0 and (solver_level(name) > level or beside):
            up.add(name)
    return up


def is_kernel_file(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == KERNEL_DOOR for node in ast.walk(tree))


def foreign_to_kernels(modules: set[str], kernels: set[str]) -> set[str]:
    """Imports that a kernel file must not have, since its cached machine code would not notice them change."""
    allowed = {KERNEL_DOOR, "wpoflow.core.arrays", *kernels}  # arrays only names types

    def fits(name: str) -> bool:
        return (
            name.split(".")[0] in ("numpy", "numba", "__future__", "math")
            or name in allowed
            or name.rpartition(".")[0] in allowed
        )

    return {name for name in modules if not fits(name)}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def trees() -> dict[str, ast.Module]:
    """Syntax trees of all our files, read when the first rule asks for them."""
    return {name: tree_of(path) for name, path in SOURCES.items()}


@cache
def imports() -> dict[str, set[str]]:
    """What each of our files imports."""
    return {name: imported_modules(tree) for name, tree in trees().items()}


@cache
def kernel_files() -> list[str]:
    return [name for name, tree in trees().items() if is_kernel_file(tree)]


def test_imports_go_down() -> None:
    up = {name: climbs(module_name(name), imported) for name, imported in imports().items()}
    assert {name: found for name, found in up.items() if found} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_name(name): imported for name, imported in imports().items()}
    ours = {module: {name for name in imported if name in modules} - {module} for module, imported in modules.items()}
    list(TopologicalSorter(ours).static_order())  # raises CycleError, which names the circle


def test_imports_have_one_spelling() -> None:
    """A floor is imported through the front door only: ``wpoflow.solver``, never ``solver``."""
    tests = {path.as_posix(): imported_modules(tree_of(path)) for path in (ROOT / "tests").rglob("*.py")}
    direct = {
        name: {module for module in imported if module.split(".")[0] in FLOORS}
        for name, imported in {**imports(), **tests}.items()
    }
    assert {name: found for name, found in direct.items() if found} == {}


def test_no_folder_of_the_solver_is_a_hall() -> None:
    folders = Counter(str(Path(name).parent) for name in SOURCES if name.startswith("wpoflow/solver/"))
    assert max(folders.values()) <= MOST_IN_A_FOLDER, folders.most_common(2)


def test_kernel_files_import_only_numpy_numba_and_kernels() -> None:
    kernels = {module_name(name) for name in kernel_files()}
    assert len(kernels) > 50
    foreign = {name: foreign_to_kernels(imports()[name], kernels) for name in kernel_files()}
    assert {name: found for name, found in foreign.items() if found} == {}


def test_numba_decorators_live_in_kernel_files_only() -> None:
    compiles = {"numba.njit", "numba.jit", "numba.vectorize", "numba.guvectorize", "numba.stencil"}
    for name, tree in trees().items():
        if name not in kernel_files() and module_name(name) != KERNEL_DOOR:
            used = {
                f"{node.value.id}.{node.attr}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            }
            assert (used | imports()[name]) & compiles == set(), name


def test_files_are_short_and_say_what_they_are() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
    assert [name for name, tree in trees().items() if not ast.get_docstring(tree)] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_the_rules_catch_what_they_forbid() -> None:
    upward = imported_modules(ast.parse("def f():\n    from wpoflow.views.terminal import table"))
    assert climbs("wpoflow.solver.mdp", upward) == {"wpoflow.views.terminal", "wpoflow.views.terminal.table"}
    assert climbs("wpoflow.cli", upward) == set()
    assert climbs("wpoflow.solver.bellman.system", {"wpoflow.solver.schemes.euler"}) == {"wpoflow.solver.schemes.euler"}
    assert climbs("wpoflow.solver.bellman.system", {"wpoflow.solver.flows.flow"}) == {"wpoflow.solver.flows.flow"}
    assert climbs("wpoflow.solver.bellman.system", {"wpoflow.solver.bellman.gmres", "wpoflow.solver.mdp"}) == set()
    kernel = ast.parse("from wpoflow.core.compile import kernel\nimport scipy.special")
    assert is_kernel_file(kernel)
    assert foreign_to_kernels(imported_modules(kernel), set()) == {"scipy.special"}
