"""The house rules that a reader relies on: imports go down, kernels stand apart, files stay short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["grids", "solver", "problems", "validation", "views", "wpoflow"]
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
KERNEL_DOOR = "grids.compile"
LONGEST = 400


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


def climbs(floor: str, modules: set[str]) -> set[str]:
    """Imports that go up the tower."""
    above = FLOORS[FLOORS.index(floor) + 1 :]
    return {name for name in modules if name.split(".")[0] in above}


def is_kernel_file(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == KERNEL_DOOR for node in ast.walk(tree))


def foreign_to_kernels(modules: set[str], kernels: set[str]) -> set[str]:
    """Imports that a kernel file must not have, since its cached machine code would not notice them change."""
    allowed = {KERNEL_DOOR, "grids.arrays", *kernels}  # grids.arrays only names types

    def fits(name: str) -> bool:
        return (
            name.split(".")[0] in ("numpy", "numba", "__future__", "math")
            or name in allowed
            or name.rpartition(".")[0] in allowed
        )

    return {name for name in modules if not fits(name)}


def tree_of(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


TREES = {path: tree_of(path) for path in SOURCES}
KERNEL_FILES = [path for path, tree in TREES.items() if is_kernel_file(tree)]
KERNELS = {module_name(path) for path in KERNEL_FILES}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    assert climbs(path.relative_to(ROOT).parts[0], imported_modules(TREES[path])) == set()


@pytest.mark.parametrize("path", KERNEL_FILES, ids=name_of)
def test_kernel_files_import_only_numpy_numba_and_kernels(path: Path) -> None:
    assert foreign_to_kernels(imported_modules(TREES[path]), KERNELS) == set()


@pytest.mark.parametrize("path", [path for path in SOURCES if path not in KERNEL_FILES], ids=name_of)
def test_numba_decorators_live_in_kernel_files_only(path: Path) -> None:
    if module_name(path) != KERNEL_DOOR:
        compiles = {"numba.njit", "numba.jit", "numba.vectorize", "numba.guvectorize", "numba.stencil"}
        used = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(TREES[path])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        assert (used | imported_modules(TREES[path])) & compiles == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    module = TREES[path]
    assert isinstance(module, ast.Module)
    assert ast.get_docstring(module)


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_the_rules_catch_what_they_forbid() -> None:
    upward = imported_modules(ast.parse("def f():\n    from views.terminal import table"))
    assert climbs("solver", upward) == {"views.terminal", "views.terminal.table"}
    assert climbs("wpoflow", upward) == set()
    kernel = ast.parse("from grids.compile import kernel\nimport scipy.special")
    assert is_kernel_file(kernel)
    assert foreign_to_kernels(imported_modules(kernel), set()) == {"scipy.special"}
