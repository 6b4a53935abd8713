"""The command line's words: paths taken literally, earlier words replaced by later ones."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

import csbsr
from csbsr.cli.config import _in_a_line, config_folder, literal_paths, merged, value_of, without

STRANGE = [
    "a b", "a,b", "a[1]", "a=b", "bröcke", "(x)", "it's", 'say "x"', "100%", "a#b", "x{y}", "dollar$", "back\\slash",
    "end\\", "quote\\'", "a:b", "~x", "*", "日本",
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("key", ["ckpt", "data.root", "data.surfaces", "output", "input"])
def test_a_path_survives_hydra_s_grammar(name, key):
    (word,) = literal_paths([f"{key}=/photos/{name}"])
    parsed = OverridesParser.create().parse_override(word)
    assert parsed.value() == f"/photos/{name}"
    assert parsed.key_or_group == key


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert literal_paths(["data.root=a b"]) == [f"data.root='{Path(tmp_path) / 'a b'}'"]
    same = ["ckpt=null", "ckpt=last", "loss.beta=0.3", "data=folder", "ckpt='x y'", "--cfg", "job"]
    assert literal_paths(same) == same


def test_later_words_replace_earlier_ones():
    assert merged(["recipe=quick", "loss.beta=0.3", "+a=1"], ["loss.beta=0.5", "a=2"]) == [
        "recipe=quick", "loss.beta=0.5", "a=2",
    ]  # fmt: skip
    assert value_of(["ckpt=a", "ckpt='b c'"], "ckpt") == "b c"
    assert value_of(["x=1"], "ckpt") is None


def groups():
    for folder in sorted(path for path in config_folder().iterdir() if path.is_dir()):
        for file in sorted(folder.glob("*.yaml")):
            yield folder.name, file.stem


@pytest.mark.parametrize(("group", "option"), list(groups()))
def test_every_option_of_every_group_composes(group, option):
    if group == "severity":
        pytest.skip("not a group of csbsr-train")
    command = "eval" if group == "robustness" else "train"
    if option in ("base", "files") or (group, option) in {("trainer", "evaluation")}:
        pytest.skip("part of other options")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        compose(command, overrides=[f"{group}={option}"])


@pytest.mark.parametrize(
    ("words", "images"),
    [
        ([], None),
        (["experiment=csbsr_pspnet"], None),
        *(([f"recipe={name}"], 64) for name in ("quick", "lite", "finetune")),
    ],
)
def test_recipes_for_a_cpu_validate_on_few_images_and_published_ones_on_all(words, images):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        assert compose("train", overrides=words).data.validation_images == images


def test_a_sweep_separates_paths_by_commas():
    words = ["-m", "segmentor=pspnet,unet", "data.root=/a b,/c=d", "output=/e, [f]", "ckpt='/g,h'"]
    assert literal_paths(words) == [
        "-m", "segmentor=pspnet,unet", "data.root='/a b','/c=d'", "output='/e, [f]'", "ckpt='/g,h'",
    ]  # fmt: skip
    parsed = OverridesParser.create().parse_override(literal_paths(words)[2])
    assert parsed.is_sweep_override()
    assert list(parsed.sweep_string_iterator()) == ["'/a b'", "'/c=d'"]


def test_without():
    assert without(["a=1", "+b=2", "~c", "d=a"], "a", "c") == ["+b=2", "d=a"]


def test_a_warning_of_ours_is_a_line_like_the_others():
    told = UserWarning("a\x1b.png: every pixel of this mask is crack")
    own, other = Path(csbsr.__file__).parent / "data" / "masks.py", pytest.__file__
    assert _in_a_line(told, UserWarning, str(own), 104) == "note     a\\x1b.png: every pixel of this mask is crack\n"
    assert _in_a_line(told, UserWarning, other, 1).startswith(f"{other}:1: UserWarning: ")
