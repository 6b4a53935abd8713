"""The pages: what they say, that they load nothing, and which images they choose."""

import math
import re

import pytest

from csbsr.report.collect import collect
from csbsr.report.page import choose, comparison_page, evaluation_page, number
from csbsr.report.runcard import run_card
from tests.report.html_check import checked
from tests.report.invented import NETWORK, evaluation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return evaluation(tmp_path_factory.mktemp("evaluations") / "one", count=12)


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_report_is_whole_and_loads_nothing(page):
    checker = checked(page)
    assert "default-src 'none'" in page  # the browser is told so as well
    assert len(page) < 10e6
    text = re.sub(r"\s+", " ", "".join(checker.text))
    for expected in (
        "KBPN + PSPNet",
        "invented, 12 images",
        "threshold 0.40",
        "iou_max",
        "largest of these",
        "HD50 min",
    ):
        assert expected in text
    assert sum(tag == "svg" and pairs["class"] == "chart" for tag, pairs in checker.tags) == 4


def test_every_number_stands_with_its_definition(folder, page):
    evaluation = collect([folder])[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.+?)</td></tr>', page)
    assert [key for key, _, _ in rows] == list(evaluation.metrics)
    assert {key: value for key, value, _ in rows} == {
        key: number(key, value) for key, value in evaluation.metrics.items()
    }


def test_images_have_sliders_verdicts_and_kernels(page):
    tags = checked(page).tags
    ranges = [pairs for tag, pairs in tags if tag == "input" and pairs["type"] == "range"]
    articles = [pairs for tag, pairs in tags if tag == "article"]
    assert len(ranges) == len(articles) == 9  # best, median, worst
    assert all("border" in pairs["aria-label"] for pairs in ranges)
    assert all("--bicubic:url(data:" in pairs["style"] for pairs in articles)
    assert all("--verdict:url(data:" in pairs["style"] for pairs in articles)
    assert sum("kernel" in pairs.get("alt", "") for _, pairs in tags) == 18


def test_the_run_card_is_shown_and_escaped(page):
    text = "".join(checked(page).text)
    assert "csbsr-eval 'ckpt=it'\"'\"'s mine.ckpt' seed=0" in text
    assert "<b>&</b>" in text
    assert "0123456789abcdef" in text
    assert '"torch"' in text


def test_a_page_without_segmentation_or_pictures(tmp_path):
    card = run_card("csbsr-eval", [], 0, {}, {}, network=NETWORK)
    rows = [{"name": f"{i}.png", "psnr": 20.0 + i, "sigma_1": 1.0 + i, "sigma_2": 2.0} for i in range(4)]
    page = evaluation_page({"images": 4, "psnr": 21.5, "ssim": math.nan}, {}, rows, {}, card, tmp_path)
    checker = checked(page)
    assert not any(tag == "article" for tag, _ in checker.tags)
    assert "21.50 dB" in page


def rows_of(values, pixels=None):
    pixels = pixels or [1] * len(values)
    return [
        {"name": f"{i:02d}", "iou": v, "mask_pixels": p} for i, (v, p) in enumerate(zip(values, pixels, strict=True))
    ]


def names(chosen):
    return {title: [row["name"] for row in rows] for title, rows in chosen.items()}


def test_which_images_are_shown():
    values = [0.5, 0.9, 0.1, 0.7, 0.3, 0.8, 0.2, 0.6, 0.4, 1.0, 0.0]
    chosen = names(choose(rows_of(values, [1] * 9 + [0, 0])))  # the last two hold no crack
    assert chosen == {"Best": ["01", "05", "03"], "Median": ["08", "00", "07"], "Worst": ["02", "06", "04"]}
    assert names(choose(rows_of([0.2, 0.4]))) == {"Best": ["01"], "Median": [], "Worst": ["00"]}
    assert names(choose(rows_of([1.0, 1.0], [0, 0])))["Best"] == ["01"]  # nothing else to show
    assert names(choose(rows_of([math.nan]))) == {"Best": [], "Median": [], "Worst": []}


def test_numbers_as_text():
    assert number("images", 12) == "12"
    assert number("psnr", 28.754) == "28.75"
    assert number("iou_max", 0.57321) == "0.5732"
    assert number("recommended_threshold", 0.4) == "0.40"
    assert number("kernel_psnr", math.nan) == "–"
    assert number("recall", 1.0) == "1.0000"


def test_comparison(tmp_path):
    for seed in range(3):
        evaluation(tmp_path / f"run {seed}", count=6 - seed, seed=seed)
    page = comparison_page(collect([tmp_path]), images=3)
    checker = checked(page)
    text = re.sub(r"\s+", " ", "".join(checker.text))
    for expected in ("run 0", "run 2", "CSBSR, PSPNet, β = 0.3", "its 50th percentile", "3 of the 4 images"):
        assert expected in text
    assert "did not see the same low-resolution images" in text  # the seeds of their blur differ
    articles = [pairs for tag, pairs in checker.tags if tag == "article"]
    assert len(articles) == 3
    assert sum(tag == "input" and pairs["type"] == "range" for tag, pairs in checker.tags) == 9


def test_runs_on_the_same_images_share_the_bicubic_picture(tmp_path):
    for name in ("a", "b"):
        evaluation(tmp_path / name, count=3)
    page = comparison_page(collect([tmp_path]))
    assert "did not see the same" not in page
    assert page.count("--bicubic:url(") == page.count("<article") == 3


def test_a_comparison_without_common_images(tmp_path):
    one, other = evaluation(tmp_path / "a", count=2), evaluation(tmp_path / "b", count=2)
    text = (other / "per_image.csv").read_text()
    (other / "per_image.csv").write_text(text.replace("wall/", "floor/"))
    assert "No image occurs in all" in comparison_page(collect([one, other]))
