"""csbsr-report over several evaluations."""

import csv

import pytest

from csbsr.cli import report
from tests.report.html_check import checked
from tests.report.invented import evaluation


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [evaluation(root / name, count=3, seed=seed) for seed, name in enumerate(("plain", "two words", "ü,[x=1]"))]


def test_three_runs_become_a_table_and_a_page(runs, tmp_path, caplog):
    caplog.set_level("INFO")
    report.main([*map(str, runs), "--out", str(tmp_path / "out"), "--images", "2"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "table.md", "table.csv", "table.tex", "statistics.md", "comparison.html",
    }  # fmt: skip
    with (tmp_path / "out" / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows[:3]] == ["plain", "two words", "ü,[x=1]"]
    assert rows[3]["published"] == "yes"
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert sum(tag == "article" for tag, _ in checked(page).tags) == 2
    assert "| ü,[x=1] |" in caplog.text  # the table is shown as well
    assert "did not see the same low-resolution images" in caplog.text


def test_what_is_no_evaluation(tmp_path, capsys):
    with pytest.raises(SystemExit, match=r"error: no evaluation in .*csbsr-eval"):
        report.main([str(tmp_path)])
    with pytest.raises(SystemExit, match="no such folder"):
        report.main([str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        report.main([])
    with pytest.raises(SystemExit):
        report.main([str(tmp_path), "--images", "0"])
    assert "--images: expected at least 1" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as done:
        report.main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("csbsr ")
