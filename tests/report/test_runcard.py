"""The run card: commit only of the package's own checkout, hashes, names of systems."""

import hashlib
import json
import shlex
import shutil
import subprocess

import pytest

import csbsr
from csbsr.report.runcard import commit, file_hash, run_card, system_name

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's first file inside a repository, not added to it."""
    if shutil.which("git") is None:
        pytest.skip("no git")
    file = tmp_path / "src" / "csbsr" / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(csbsr, "__file__", str(file))
    return file


@needs_git
def test_commit_of_the_checkout(package, tmp_path):
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit() == head
    package.write_text("changed = True\n")
    assert commit() == f"{head}-dirty"


@needs_git
def test_no_commit_where_the_package_merely_lies_inside_a_repository(package, tmp_path):
    (tmp_path / "other.txt").write_text("")
    git(tmp_path, "add", "other.txt")
    git(tmp_path, "commit", "-q", "-m", "one")
    assert commit() is None


def test_the_card_is_plain_and_complete(tmp_path):
    weights = tmp_path / "w.ckpt"
    weights.write_bytes(b"abc")
    words = ["ckpt=a b.ckpt", "seed=3"]
    card = run_card("csbsr-eval", words, 3, {"x": [1]}, {"fingerprint": "f"}, weights, {"_target_": "a.B"}, scale=4)
    assert json.loads(json.dumps(card)) == card
    assert shlex.split(card["command"]) == ["csbsr-eval", *words]
    assert card["weights"]["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert {"python", "torch", "numpy"} <= set(card["versions"])
    assert (card["seed"], card["scale"], card["config"], card["version"]) == (3, 4, {"x": [1]}, csbsr.__version__)


def test_hash_of_a_folder_of_released_weights(tmp_path):
    assert file_hash(tmp_path) is None
    for name in ("b.pth", "a.pth"):
        (tmp_path / name).write_bytes(name.encode())
    assert file_hash(tmp_path) == hashlib.sha256(b"a.pthb.pth").hexdigest()


def test_names_of_systems():
    serial = {"sr": {"_target_": "csbsr.sr.KBPN"}, "segmentor": {"_target_": "csbsr.segmentor.PSPNet"}}
    assert system_name({"_target_": "csbsr.joint.JointNetwork", **serial}) == "KBPN + PSPNet"
    serial["segmentor"]["blur_skip"] = "modified"
    assert system_name(serial) == "KBPN + PSPNet + BlurSkip"
    assert system_name({"_target_": "csbsr.joint.DSRL"}) == "DSRL"


def test_the_shipped_weights_are_hashed_by_their_name(tmp_path, monkeypatch):
    import hashlib

    from csbsr.names import shipped
    from csbsr.report.runcard import file_hash

    monkeypatch.chdir(tmp_path)
    assert file_hash("lite") == hashlib.sha256(shipped("lite").read_bytes()).hexdigest()
