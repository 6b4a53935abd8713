"""The wheel: what it holds, and that its commands work from an unrelated folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", "."]
    source = folder / "source"  # build in a copy: setuptools leaves build/ and egg-info beside what it builds
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src", "conf", "pyproject.toml", "README.md",
         "LICENSE", "THIRD_PARTY.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next((folder / "dist").glob("*.whl"))


def test_it_holds_every_module_and_setting(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "src" / "csbsr").rglob("*.py"):
        assert f"csbsr/{path.relative_to(ROOT / 'src' / 'csbsr').as_posix()}" in inside
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"csbsr/conf/{path.relative_to(ROOT / 'conf').as_posix()}" in inside
    assert "csbsr/weights/lite.safetensors" in inside
    assert not any(name.startswith(("tests/", "scripts/", "conf/")) for name in inside)


def test_its_commands_work_from_an_unrelated_folder(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "else where"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(site)

    def command(module, *arguments):
        environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments] if sys.version_info >= (3, 11)
            else [sys.executable, "-m", module, *arguments],
            cwd=elsewhere, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    where = command("csbsr.cli.train", "--version")
    assert where.stdout.startswith("csbsr "), where.stderr
    tiny = [
        "width.sr=0.0625", "width.segmentor=0.0625", "stages=2", "data.crop=32", "data.batch_size=2",
        "data.num_workers=0", "data.train_images=6", "data.test_images=2", "data.size=[40,48]",
        "trainer.accelerator=cpu", "phases=joint", "steps=2",
    ]  # fmt: skip
    trained = command("csbsr.cli.train", *tiny, "output=run here")
    assert trained.returncode == 0, trained.stderr
    evaluated = command(
        "csbsr.cli.evaluate", "ckpt=run here/checkpoints/last.ckpt", "trainer.accelerator=cpu", "output=results"
    )
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads((elsewhere / "results" / "metrics.json").read_text())["images"] == 2
    loaded = subprocess.run(
        [sys.executable, "-c", "import csbsr; print(csbsr.__file__)"], cwd=elsewhere, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site)}, check=True,
    )  # fmt: skip
    assert str(site) in loaded.stdout
