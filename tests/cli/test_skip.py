"""csbsr-predict skip=auto: what was left out is told, and not mixed with results of the whole."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure, predict
from csbsr.data.synthetic import photograph
from csbsr.predict.skipping import LOST
from tests.cli.inprocess import checkpoint, exit_code


def run(ckpt, place, *words):
    """The command's exit code on the photograph of `place`."""
    given = f"ckpt={ckpt}", f"input={place / 'wall.png'}", f"output={place / 'out'}", "device=cpu", "backend=torch"
    return exit_code(predict.main, *given, *words)


def rows(place, folder="out"):
    with (place / folder / "summary.csv").open(encoding="utf-8", newline="") as table:
        return next(csv.DictReader(table))


@pytest.fixture
def place(tmp_path):
    """A photograph with cracks at its left and nothing at its right, and weights."""
    image = np.full((96, 400, 3), 150, np.uint8)
    image[:, :96] = photograph(np.random.default_rng(0), (96, 96))[0]
    Image.fromarray(image).save(tmp_path / "wall.png")
    checkpoint(tmp_path / "w.ckpt", threshold=0.52)
    return tmp_path


def test_what_is_skipped_is_told(place, capsys):
    words = ("skip=auto", "tile=256", "save=mask,probability")
    assert run(place / "w.ckpt", place, *words) == 0
    told = " ".join("".join(capsys.readouterr()).split())
    row, share = rows(place), float(rows(place)["skipped_share"])
    assert 0.3 < share < 0.8
    assert float(row["skipped_risk"]) == LOST
    assert "skip only tiles in or near which the lite system answers" in told
    assert f"; {100 * share:.3g} % skipped" in told
    page = (place / "out" / "report.html").read_text(encoding="utf-8")
    assert f"{100 * share:.3g} % skipped: a quick look found nothing there" in page
    mask, probability = (np.asarray(Image.open(place / "out" / f"wall_{kind}.png")) for kind in ("mask", "probability"))
    empty = round((1 - share) * 1600) + 16  # tiles reach from the top to the bottom; and half a blend
    assert not mask[:, empty:].any()
    assert not probability[:, empty:].any()
    assert probability[:, : empty - 64].all()

    # Results of one and the other are not mixed without a word; the same again is done already.
    assert run(place / "w.ckpt", place, *words) == 0
    assert "1 of them done already" in capsys.readouterr().out
    assert run(place / "w.ckpt", place, *words[1:]) == 1
    assert "skip auto, now off" in capsys.readouterr().err

    # What is measured anew, maybe after corrections, still tells it.
    assert exit_code(measure.main, f"input={place / 'out'}", f"output={place / 'measured'}") == 0
    assert float(rows(place, "measured")["skipped_share"]) == share


def test_results_from_before_there_was_a_choice_are_of_the_whole(place, capsys):
    assert run(place / "w.ckpt", place, "save=mask", "measure=false") == 0
    file = place / "out" / "summary.json"
    found = json.loads(file.read_text())
    assert "skipped_share" not in found["photographs"][0]
    assert found["photographs"][0]["settings"].pop("skip") == "off"
    file.write_text(json.dumps(found))
    assert run(place / "w.ckpt", place, "save=mask", "measure=false") == 0
    assert run(place / "w.ckpt", place, "save=mask", "measure=false", "skip=auto") == 1
    assert "skip off, now auto" in capsys.readouterr().err


def test_the_lite_system_says_that_it_skips_nothing(place, capsys):
    assert run("lite", place, "skip=auto", "save=mask", "measure=false") == 0
    assert "skip     nothing: the system is itself the lite one" in capsys.readouterr().out
    assert rows(place)["skipped_share"] == ""
    assert run("lite", place, "save=mask", "measure=false") == 0
    assert "1 of them done already" in capsys.readouterr().out


def test_another_word(place, capsys):
    assert run(place / "w.ckpt", place, "skip=some") == 1
    assert "skip: expected one of off, auto, got 'some'" in capsys.readouterr().err
