"""What a person corrects is what counts: masks, polygons and areas left out, from csbsr-predict to csbsr-measure."""

import csv
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure, predict
from csbsr.data.labelme_files import labelme, read_polygons
from tests.cli.inprocess import checkpoint, exit_code

HEIGHT, WIDTH = 40, 56


def wall():
    image = np.random.RandomState(0).randint(120, 200, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    image[18:21, 5:50] = 40
    return image


def row(folder, name="a.png"):
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as table:
        return next(row for row in csv.DictReader(table) if row["file"] == name)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("w") / "w.ckpt", threshold=0.5)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory, weights):
    """A folder of results of one photograph, whose probability is then replaced by a known one."""
    folder = tmp_path_factory.mktemp("p")
    (folder / "in").mkdir()
    Image.fromarray(wall()).save(folder / "in" / "a.png")
    words = ("device=cpu", "compare_bicubic=false", "save=mask,probability,labelme,sr")
    assert exit_code(predict.main, f"ckpt={weights}", f"input={folder / 'in'}", f"output={folder / 'out'}", *words) == 0
    return folder


def known(predicted, tmp_path):
    """A copy of the folder with a drawn crack as its probability and mask, as csbsr-predict would have written it."""
    import shutil

    from csbsr.inspection.corrections import MaskDigest

    shutil.copytree(predicted, tmp_path / "w")
    out = tmp_path / "w" / "out"
    mask = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    cv2.line(mask, (20, 76), (200, 76), 1, 8)
    Image.fromarray(mask * np.uint16(65535)).save(out / "a_probability.png")
    Image.fromarray(mask * np.uint8(255)).save(out / "a_mask.png")
    (out / "a_labelme.json").write_text(json.dumps(labelme(mask > 0, "../in/a.png", (HEIGHT, WIDTH), 4)))
    summary = json.loads((out / "summary.json").read_text())
    record = summary["photographs"][0]
    record["digest"] = MaskDigest.of(mask > 0)
    record["source"]["path"] = str(tmp_path / "w" / "in" / "a.png")
    (out / "summary.json").write_text(json.dumps(summary))
    return out, mask


def measured(out, to, *words):
    assert exit_code(measure.main, f"input={out}", f"output={to}", *words) == 0
    return row(to)


def test_a_mask_that_was_not_touched_is_not_edited(predicted, tmp_path):
    out, _ = known(predicted, tmp_path)
    Image.open(out / "a_mask.png").save(out / "a_mask.png", compress_level=1)  # saved again, the same pixels
    found = measured(out, tmp_path / "m")
    assert (found["edited"], found["before_cracks"]) == ("", "")
    assert float(found["length_px"]) == pytest.approx(180, rel=0.05)


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("kind", ["mask", "labelme"])
def test_a_corrected_mask_is_measured_instead_of_the_probability(predicted, tmp_path, kind, digest):
    out, mask = known(predicted, tmp_path)
    if not digest:  # a folder of an earlier version
        summary = json.loads((out / "summary.json").read_text())
        del summary["photographs"][0]["digest"]
        (out / "summary.json").write_text(json.dumps(summary))
    mask[:, 110:] = 0  # a false half taken away
    cv2.line(mask, (40, 5), (40, 60), 1, 8)  # an overlooked crack drawn
    if kind == "mask":
        Image.fromarray(mask * np.uint8(255)).save(out / "a_mask.png")
    else:
        (out / "a_labelme.json").write_text(json.dumps(labelme(mask > 0, "../in/a.png", (HEIGHT, WIDTH), 4)))
    found = measured(out, tmp_path / "m")
    assert found["edited"] == "1"
    assert (found["cracks"], found["before_cracks"]) == ("2", "1")
    assert float(found["area_px"]) == mask.sum()  # from the mask's own edges
    assert float(found["before_length_px"]) == pytest.approx(180, rel=0.05)
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "after and before the correction by hand" in page
    assert "edited: the mask was corrected by hand" in page


def test_a_corrected_mask_of_another_size_fails_with_the_way_out(predicted, tmp_path):
    out, mask = known(predicted, tmp_path)
    Image.fromarray(mask[:-4] * np.uint8(255)).save(out / "a_mask.png")
    assert exit_code(measure.main, f"input={out}", f"output={tmp_path / 'm'}") == 2
    assert "Save it at the size it had" in row(tmp_path / "m")["error"]


def exclude(path, shape, part):
    drawn = np.zeros(shape, np.uint8)
    drawn[part] = 255
    Image.fromarray(drawn).save(path)


@pytest.mark.parametrize("where", ["photograph", "result", "result at its size", "polygon"])
def test_areas_left_out_count_nowhere(predicted, tmp_path, where):
    out, mask = known(predicted, tmp_path)
    right = np.s_[:, WIDTH // 2 :]
    if where == "photograph":
        exclude(tmp_path / "w" / "in" / "a_exclude.png", (HEIGHT, WIDTH), right)
    elif where == "result":
        exclude(out / "a_exclude.png", (HEIGHT, WIDTH), right)
    elif where == "result at its size":
        exclude(out / "a_exclude.png", mask.shape, np.s_[:, 2 * WIDTH :])
    else:
        points = [
            [WIDTH / 2 - 0.5, -0.5],
            [WIDTH - 0.5, -0.5],
            [WIDTH - 0.5, HEIGHT - 0.5],
            [WIDTH / 2 - 0.5, HEIGHT - 0.5],
        ]
        shapes = [{"label": "exclude", "points": points, "shape_type": "polygon"}]
        content = {"shapes": shapes, "imageHeight": HEIGHT, "imageWidth": WIDTH}
        (tmp_path / "w" / "in" / "a.json").write_text(json.dumps(content))
    found = measured(out, tmp_path / "m")
    left = mask[:, : 2 * WIDTH]
    assert found["excluded_share"] == "0.5"
    assert float(found["area_px"]) == pytest.approx(left.sum(), rel=0.02)
    assert float(found["density"]) == pytest.approx(left.mean(), rel=0.02)


def test_areas_left_out_are_no_photographs_and_count_in_prediction_too(weights, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(wall()).save(tmp_path / "in" / "a.png")
    exclude(tmp_path / "in" / "a_exclude.png", (HEIGHT, WIDTH), np.s_[:, 20:])
    words = (f"ckpt={weights}", f"input={tmp_path / 'in'}", "device=cpu", "compare_bicubic=false", "threshold=0.3")
    assert exit_code(predict.main, *words, f"output={tmp_path / 'o'}") == 0
    with (tmp_path / "o" / "summary.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [row["file"] for row in rows] == ["a.png"]
    assert float(rows[0]["excluded_share"]) == pytest.approx(36 / 56, rel=1e-3)


def test_polygons_come_back_to_the_pixel_and_name_the_photograph(predicted):
    out = predicted / "out"
    content = json.loads((out / "a_labelme.json").read_text())
    assert (out / content["imagePath"]).resolve() == (predicted / "in" / "a.png").resolve()
    assert (content["imageHeight"], content["imageWidth"]) == (HEIGHT, WIDTH)
    mask = np.asarray(Image.open(out / "a_mask.png")) > 127
    np.testing.assert_array_equal(read_polygons(out / "a_labelme.json", size=mask.shape) == 1, mask)


def test_transparent_parts_are_neither_predicted_nor_counted(weights, tmp_path):
    image, opaque = wall(), np.full((HEIGHT, WIDTH), 255, np.uint8)
    opaque[:, :14] = 0
    results = {}
    for name, colour in (("black", 0), ("white", 255)):
        shown = np.where(opaque[..., None] > 0, image, np.uint8(colour))
        folder = tmp_path / name
        folder.mkdir()
        Image.fromarray(np.dstack([shown, opaque])).save(folder / "a.png")
        words = (f"ckpt={weights}", f"input={folder}", f"output={folder / 'o'}", "device=cpu", "compare_bicubic=false",
                 "save=probability,mask,sr", "threshold=0.4")  # fmt: skip
        assert exit_code(predict.main, *words) == 0
        probability = np.asarray(Image.open(folder / "o" / "a_probability.png"))
        assert not probability[:, : 4 * 14].any()
        assert probability[:, 4 * 14 :].any()
        record = row(folder / "o")
        assert record["missing_share"] == "0.25"
        assert "25 % holds no photograph" in (folder / "o" / "report.html").read_text(encoding="utf-8")
        mask = np.asarray(Image.open(folder / "o" / "a_mask.png")) > 0
        assert float(record["crack_share"]) == pytest.approx(mask[:, 56:].mean(), rel=1e-3)
        results[name] = probability
    np.testing.assert_array_equal(results["black"], results["white"])  # what stands there changes nothing


def test_a_corrected_folder_is_training_data_as_it_is(predicted, tmp_path):
    from csbsr.data import DataError
    from csbsr.inspection.corrected import CorrectedPairs, corrected_data
    from tests.data.helpers import Halving

    out, mask = known(predicted, tmp_path)
    cv2.line(mask, (40, 5), (40, 60), 1, 8)
    Image.fromarray(mask * np.uint8(255)).save(out / "a_mask.png")
    exclude(out / "a_exclude.png", (HEIGHT, WIDTH), np.s_[:, 50:])
    source = CorrectedPairs(out)
    assert (len(source), source.name(0)) == (1, "a.png")
    image, labels = source.read(0)
    np.testing.assert_array_equal(image, wall())
    wanted = (mask.reshape(HEIGHT, 4, WIDTH, 4).mean((1, 3)) >= 0.5).astype(np.uint8)
    wanted[:, 50:] = 255
    np.testing.assert_array_equal(labels, wanted)
    data = corrected_data(str(out), Halving(), crop=16, batch_size=1, num_workers=0, validation_fraction=0.0)
    data.setup("fit")
    assert next(iter(data.train_dataloader()))["mask"].shape == (1, 1, 16, 16)
    with pytest.raises(DataError, match=r"no summary\.json of csbsr-predict"):
        len(CorrectedPairs(tmp_path))
    (tmp_path / "w" / "in" / "a.png").unlink()
    with pytest.raises(DataError, match="no longer where they were"):
        len(CorrectedPairs(out))


def test_density_of_a_corrected_mask_knows_where_the_photograph_holds_none(tmp_path, weights):
    (tmp_path / "in").mkdir()
    opaque = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    opaque[:, :14] = 0
    Image.fromarray(np.dstack([wall(), opaque])).save(tmp_path / "in" / "a.png")
    out, again, gone = tmp_path / "out", tmp_path / "again", tmp_path / "gone"
    cells = "gsd_mm=10", "cell_m=0.2"
    words = "device=cpu", "compare_bicubic=false", "save=mask", *cells
    assert exit_code(predict.main, f"ckpt={weights}", f"input={tmp_path / 'in'}", f"output={out}", *words) == 0
    mask = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    cv2.line(mask, (20, 40), (200, 40), 255, 8)  # at y = 10 of the photograph
    Image.fromarray(mask).save(out / "a_mask.png")
    found = measured(out, again, *cells)
    assert found["edited"] == "1"
    assert (found["cell_m"], found["cells"], found["density_refused"]) == ("0.2", "6", "")
    told = [shape["properties"] for shape in json.loads((again / "density.geojson").read_text())["features"]]
    assert [cell["cell"] for cell in told] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose([cell["area_m2"] for cell in told], 2 * [0.012, 0.04, 0.032])
    lengths = [cell["length_m"] for cell in told]  # from 14 to 50 pixels
    np.testing.assert_allclose(lengths, [0.06, 0.2, 0.1, 0, 0, 0], atol=0.015)
    (tmp_path / "in" / "a.png").unlink()
    assert measured(out, gone, *cells)["density_refused"].startswith("where it holds data is not known: its photograph")
    assert not (gone / "density.geojson").exists()
