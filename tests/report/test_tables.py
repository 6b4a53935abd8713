"""Collecting evaluations, and their table as Markdown, CSV and LaTeX."""

import csv
import io
import json
import re

import pytest

from csbsr.report.collect import collect, labels
from csbsr.report.published import PUBLISHED
from csbsr.report.tables import comma_separated, latex, markdown, same_data, shown_columns
from tests.report.invented import evaluation


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluations")
    for i, name in enumerate(("50%_a&b", "c|d", "e")):
        evaluation(root / name, count=3, seed=i // 2, threshold=None if i else 0.4)
    return root


def test_folders_are_found_once(root):
    assert [e.label for e in collect([root])] == ["50%_a&b", "c|d", "e"]
    assert [e.label for e in collect([root / "e", root, root / "e"])] == ["e", "50%_a&b", "c|d"]
    (one,) = collect([root / "e"])
    assert (one.system, one.data) == ("KBPN + PSPNet", "invented (012345)")
    assert len(one.rows) == one.metrics["images"] == 3
    assert len(one.curves["threshold"]) == 99
    assert one.threshold == one.metrics["recommended_threshold"]


def test_labels_are_as_short_as_possible(tmp_path):
    folders = [tmp_path / "x" / "eval", tmp_path / "y" / "eval"]
    assert labels(folders) == ["x/eval", "y/eval"]
    assert labels(folders[:1]) == ["eval"]


def test_markdown(root):
    text = markdown(collect([root]))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert len({len(row) for row in cells}) == 1
    assert len(cells) == 2 + 3 + len(PUBLISHED)
    titles = [cell.strip() for cell in cells[0]]
    paper = next(row for row in cells if "CSBSR, PSPNet, β = 0.3" in row[0])
    named = dict(zip(titles, (cell.strip() for cell in paper), strict=True))
    assert named["HD95_min"] == "20.92†"  # with the footnote
    assert (named["IoU_max"], named["PSNR"], named["HD50_min"]) == ("0.573", "28.75", "–")
    assert "† Published rows" in text
    assert "its 50th percentile" in text
    assert "50%\\_a&b" in lines[2]


def test_csv_holds_every_number_unrounded(root):
    evaluations = collect([root])
    rows = list(csv.DictReader(io.StringIO(comma_separated(evaluations))))
    assert [row["published"] for row in rows] == ["no"] * 3 + ["yes"] * len(PUBLISHED)
    for row, one in zip(rows, evaluations, strict=False):
        assert row["run"] == one.label
        assert {key: float(row[key]) for key in one.metrics} == pytest.approx(one.metrics, abs=0, rel=0, nan_ok=True)


def test_latex(root):
    evaluations = collect([root])
    text = latex(evaluations)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    counts = {len(re.findall(r"(?<!\\)&", row)) for row in rows}
    assert counts == {1 + len(shown_columns(evaluations))}
    assert r"50\%\_a\&b" in text
    assert r"20.92\textsuperscript{\textdagger}" in text
    assert "β" not in text
    assert text.count("{") == text.count("}")
    assert body.count(r"\midrule") == 2


def test_what_counts_as_the_same_data(root):
    first, second, third = collect([root])
    assert same_data([first, second])
    assert not same_data([first, third])  # another seed of the blur
    for one in (first, third):
        one.card["data"]["name"] = "degraded"
    assert same_data([first, third])  # files: the fingerprint says it all


def test_errors_name_the_folder_and_the_way_out(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        collect([tmp_path / "none"])
    with pytest.raises(FileNotFoundError, match="csbsr-eval"):
        collect([tmp_path])
    broken = evaluation(tmp_path / "broken", count=2)
    (broken / "per_image.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"broken: no file per_image.csv"):
        collect([broken])
    (broken / "run_card.json").write_text(json.dumps({"network": {}}))
    (broken / "per_image.csv").write_text("name\n")
    with pytest.raises(ValueError, match="broken: damaged"):
        collect([broken])


def test_undefined_numbers_are_null_in_json(tmp_path):
    folder = evaluation(tmp_path / "a", count=1)
    text = (folder / "metrics.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
