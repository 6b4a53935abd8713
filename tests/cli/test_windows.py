"""csbsr-predict windows=true: a georeferenced mosaic by windows, killed and gone on, placed where it lies."""

import json
import re

import numpy as np
import pytest
import tifffile

from csbsr.cli import predict
from csbsr.data.reading.geo import read_georeference
from csbsr.predict import by_rows
from tests.cli.inprocess import exit_code
from tests.mosaics import CORNER, EPSG, PIXEL, agreement, cracks_of, distance, transparent, write_mosaic

WIDTH, HEIGHT = 420, 330
LINE = cracks_of(WIDTH, HEIGHT, 1)[0]._replace(width=4.0)


class Killed(BaseException):
    """As if the process had ended."""


def run(mosaic, output, *words):
    given = f"input={mosaic}", f"output={output}", "device=cpu", "backend=torch", "save=mask,probability", "tile=384"
    words = "windows=true", "cell_m=0.05", *words
    return exit_code(predict.main, *given, "margin_sr=128", "margin_segmentation=128", *words)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    return write_mosaic(tmp_path_factory.mktemp("mosaic") / "wall.tif", WIDTH, HEIGHT, [LINE], side=64)


@pytest.fixture(scope="module")
def whole(mosaic, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole")
    assert run(mosaic, output, "result_scale=2") == 0
    return output


def test_results_lie_where_the_mosaic_lies(whole):
    for kind in ("probability", "mask"):
        geo = read_georeference(whole / f"wall_{kind}.tif")
        assert (geo.epsg, geo.metres, geo.size) == (EPSG, 1.0, (2 * WIDTH, 2 * HEIGHT))
        assert geo.transform == pytest.approx((PIXEL / 2, 0, CORNER[0], 0, -PIXEL / 2, CORNER[1]))
        with tifffile.TiffFile(whole / f"wall_{kind}.tif") as file:
            assert [page.shape for page in file.pages] == [(2 * HEIGHT, 2 * WIDTH), (HEIGHT, WIDTH)]
            assert all(page.is_tiled for page in file.pages)


def test_gdal_reads_where_the_results_lie(whole):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(whole / "wall_probability.tif") as found:
        assert found.crs.to_epsg() == EPSG
        assert (found.width, found.height) == (2 * WIDTH, 2 * HEIGHT)
        assert found.transform.a == pytest.approx(PIXEL / 2)
        assert (found.transform.c, found.transform.f) == pytest.approx(CORNER)
        assert found.profile["tiled"]


def test_nothing_is_marked_where_there_is_no_data(whole):
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    corner = np.repeat(np.repeat(transparent(x, y, WIDTH, HEIGHT), 2, 0), 2, 1)
    mask = tifffile.imread(whole / "wall_mask.tif")
    assert mask.shape == corner.shape
    assert set(np.unique(mask[corner])) <= {0, mask[0, 0]}
    row = json.loads((whole / "summary.json").read_text())["photographs"][0]
    assert row["missing_share"] == pytest.approx(corner.mean(), abs=0.01)


def test_the_crack_is_found_where_it_was_drawn(whole):
    found = agreement(whole / "cracks.geojson", [LINE])
    assert found.found > 0.9
    assert found.within > 0.98


def test_the_report_shows_the_mosaic_with_the_crack(whole):
    page = (whole / "report.html").read_text(encoding="utf-8")
    view = page[page.index('<svg class="view"') :].partition("</svg>")[0]
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in view
    assert "north of the grid (EPSG:25832)" in view
    paths = re.findall(r' d="M([^"]*)"><title>crack \d+, length [\d.]+ ', view)
    points = np.concatenate([np.array(path.replace("M", " ").split(), float).reshape(-1, 2) for path in paths])
    assert np.quantile(distance(points, LINE.points), 0.9) < 1
    assert 'class="compare"' not in page  # there is one view


def test_a_killed_run_goes_on_at_its_row(mosaic, whole, tmp_path, monkeypatch):
    rows, step = [], by_rows.ByRows._row

    def counted(self, i, *more):
        rows.append(i)
        if len(rows) == 3:
            raise Killed
        return step(self, i, *more)

    monkeypatch.setattr(by_rows.ByRows, "_row", counted)
    with pytest.raises(Killed):
        run(mosaic, tmp_path, "result_scale=2")
    stopped = rows[-1]
    assert run(mosaic, tmp_path, "result_scale=2") == 0
    assert rows[3] == stopped  # not from the first
    for kind in ("mask", "probability"):
        a, b = (tifffile.imread(folder / f"wall_{kind}.tif") for folder in (whole, tmp_path))
        assert np.array_equal(a, b)
    for name in ("cracks.csv", "density.geojson"):
        assert (whole / name).read_bytes() == (tmp_path / name).read_bytes()


def test_density_by_windows_is_that_of_the_whole(mosaic, whole, tmp_path):
    """Their areas are the same to the pixel; lengths are of lines that were measured on grids of other fineness."""
    assert run(mosaic, tmp_path, "windows=false", "compare_bicubic=false") == 0
    by_windows, at_once = (
        [shape["properties"] for shape in json.loads((out / "density.geojson").read_text())["features"]]
        for out in (whole, tmp_path)
    )
    assert len(at_once) > 30
    assert [cell["cell"] for cell in by_windows] == [cell["cell"] for cell in at_once]
    assert [cell["area_m2"] for cell in by_windows] == [cell["area_m2"] for cell in at_once]
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    data = np.count_nonzero(~transparent(x, y, WIDTH, HEIGHT)) * PIXEL**2
    assert sum(cell["area_m2"] for cell in at_once) == pytest.approx(data, abs=1e-4)
    lengths = np.array([[cell["length_m"] for cell in cells] for cells in (by_windows, at_once)])
    assert lengths[1].sum() > 0.1
    assert np.abs(lengths[0] - lengths[1]).max() < 3 * PIXEL
    assert lengths[0].sum() == pytest.approx(lengths[1].sum(), rel=0.02)
