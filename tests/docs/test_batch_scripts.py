"""The batch scripts of the manual: their syntax, and what they do, with ``srun`` standing in for a batch system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wpoflow as wpo
from tests.docs.pages import DOCS, blocks
from tests.ranks import LAUNCHER, needs_mpi

BASH = shutil.which("bash") or ""
SRUN = f"""#!{BASH}
ranks=${{SLURM_NTASKS:-1}}
while [[ "$1" == --* ]]; do
    case "$1" in --ntasks=*) ranks="${{1#--ntasks=}}" ;; esac
    shift
done
[ "$1" = wpoflow ] && shift && set -- "{sys.executable}" -m wpoflow "$@"
if [ "$ranks" = 1 ]; then exec "$@"; fi
exec "{LAUNCHER}" -n "$ranks" "$@"
"""


def scripts() -> dict[str, str]:
    """Every batch script of the manual, by its page."""
    found = {}
    for page in sorted(DOCS.glob("howto/*.md")):
        for block in blocks(page):
            if "#SBATCH" in block.text:
                found[page.stem] = block.text
    return found


def carried_out(script: str, folder: Path, **batch: str) -> subprocess.CompletedProcess[str]:
    """A script as a batch system would start it."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "srun").write_text(SRUN)
    (folder / "bin" / "srun").chmod(0o755)
    (folder / "job.sh").write_text(script)
    environment = {**os.environ, **batch, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    return subprocess.run([BASH, "job.sh"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not BASH, reason="needs bash")
@pytest.mark.parametrize("page", ["many_runs", "several_machines"])
def test_their_syntax(page: str, tmp_path: Path) -> None:
    """As bash reads them, with nothing but options of the batch system before the first command."""
    text = scripts()[page]
    assert subprocess.run([BASH, "-n"], input=text, text=True, capture_output=True).stderr == ""
    lines = [line for line in text.splitlines() if line]
    last = max(k for k, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#") for line in lines[: last + 1])


@pytest.mark.slow
@pytest.mark.skipif(not BASH, reason="needs bash")
def test_a_job_array(tmp_path: Path) -> None:
    """Each part takes its points, and the last one makes the result."""
    script = scripts()["many_runs"].replace("/16", "/2")
    (tmp_path / "study.toml").write_text(
        'problem = "bandit"\n[over]\nproblem.discount = [0.5, 0.7, 0.9]\n[set]\ncells.a = 12\n'
        '"flow.until" = { time = 0.5 }\n'
    )
    for number in ("0", "1"):
        done = carried_out(script, tmp_path, SLURM_ARRAY_TASK_ID=number, SLURM_CPUS_PER_TASK="1")
        assert done.returncode == 0, done.stderr
    assert wpo.open_study(tmp_path / "study").counts == {"complete": 3}


@needs_mpi
@pytest.mark.slow
@pytest.mark.skipif(not BASH, reason="needs bash")
def test_one_run_of_several_processes(tmp_path: Path) -> None:
    """Begun by the script, and gone on with by the same script where a checkpoint is there."""
    script = scripts()["several_machines"].replace("--cells x=256 --cells y=256", "--cells x=5 --cells y=5")
    script = script.replace("wpoflow doctor --compile", "true")  # which takes minutes
    assert "x=5" in script
    short = script.replace("-o navigation.h5", "--until steps=9 --until wall=0.01 -o navigation.h5")
    assert carried_out(short, tmp_path, SLURM_NTASKS="2").returncode in (0, 1)
    assert (tmp_path / "navigation.h5.checkpoint").is_dir()
    done = carried_out(
        script.replace("resume navigation.h5", "resume navigation.h5 --until steps=4"), tmp_path, SLURM_NTASKS="2"
    )
    assert done.returncode == 0, done.stderr
    run = wpo.open_run(tmp_path / "navigation.h5")
    assert run.attributes["steps"] == 4
    assert run.attributes["resumed"] == 1
    assert not (tmp_path / "navigation.h5.checkpoint").exists()
