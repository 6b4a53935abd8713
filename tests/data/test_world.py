"""The varied world: deterministic, wide and narrow cracks, photographs as surfaces, and marks that are no crack."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from csbsr.data import DataError, SurfaceFolder, SyntheticPairs, WorldPairs, synthetic_data
from csbsr.data.synthetic.crack import CrackPath
from csbsr.data.world import cracks, distractors, ground, objects, openings
from tests.data.helpers import Halving

SIZE = (128, 128)


@pytest.fixture
def folder(tmp_path):
    """24 flat photographs in a folder and a subfolder, the brightness of each its number."""
    (tmp_path / "walls").mkdir()
    rng = np.random.default_rng(0)
    for number in range(24):
        image = np.clip(rng.normal(60 + 5 * number, 8, (90, 120, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / ("walls" if number % 2 else ".") / f"{number:02d}.png"), image)
    return tmp_path


def test_a_function_of_seed_split_and_index(folder):
    for surfaces in (None, SurfaceFolder(folder)):
        pairs = WorldPairs("train", 5, (96, 128), 3, surfaces)
        image, mask = pairs.read(4)
        assert image.shape == (96, 128, 3)
        assert image.dtype == mask.dtype == np.uint8
        assert mask.shape == (96, 128)
        pairs.read(1)  # fills the cache
        again = WorldPairs("train", 9, (96, 128), 3, surfaces).read(4)
        np.testing.assert_array_equal(again[0], image)
        np.testing.assert_array_equal(again[1], mask)
        for split, seed in (("test", 3), ("train", 4)):
            assert (WorldPairs(split, 5, (96, 128), seed, surfaces).read(4)[0] != image).mean() > 0.5


def test_statistics_of_many_images():
    pairs = WorldPairs("train", 90, (160, 160))
    shares, widest, darker, styles = [], [], [], set()
    for index in range(90):
        image, mask, _, style = pairs.picture(index)
        styles.add(style)
        assert 15 < image.mean() < 240
        assert image.std() > 3
        assert (style == "sound") <= (mask.sum() == 0)
        shares.append(mask.mean())
        if mask.sum() > 40:
            widest.append(2 * cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())
            near = cv2.dilate(mask, np.ones((15, 15), np.uint8)).astype(bool) & (cv2.dilate(mask, np.ones((5, 5))) == 0)
            darker.append(image[mask.astype(bool)].mean() < image[near].mean())
    shares = np.array(shares)
    assert styles == {*cracks.STYLES, "sound"}
    assert 0.06 < (shares == 0).mean() < 0.3
    assert 0.01 < shares.mean() < 0.08
    assert min(widest) < 3
    assert max(widest) > 20
    assert np.mean(darker) > 0.9


def test_a_wide_crack_covers_its_area_and_is_marked_where_half_covered():
    points = np.stack([np.linspace(-10, 140, 301), np.full(301, 64.0)], 1)
    for width in (1.0, 3.0, 20.0, 50.0):
        covered = cracks.coverage(np.random.default_rng(1), [CrackPath(points, np.full(301, width))], SIZE)
        area = covered[:, 20:108].sum() / 88
        assert area == pytest.approx(width, abs=0.3 + 0.2 * width * (width >= cracks.WIDE))
        assert covered.min() == 0
        assert covered.max() == 1 or width == 1.0


def test_narrow_cracks_are_marked_at_least_so_wide():
    surface = ground.procedural(np.random.default_rng(0), SIZE, "asphalt")
    for seed in range(6):
        exact, wider = (cracks.draw_cracks(np.random.default_rng(seed), surface, thinnest) for thinnest in (0.0, 4.0))
        assert exact.marked is exact.covered
        np.testing.assert_array_equal(wider.covered, exact.covered)  # the picture stays
        assert (wider.marked >= exact.marked).all()
        if exact.style == "hairline":
            assert (wider.marked >= 0.5).sum() > 1.5 * (exact.marked >= 0.5).sum()


@pytest.mark.parametrize("size", [(32, 32), (40, 150), (130, 33)])
def test_any_size(size, folder):
    for index in range(30):
        surfaces = SurfaceFolder(folder) if index % 2 else None
        image, mask = WorldPairs("train", 30, size, 0, surfaces, photographed=1.0).read(index)
        assert image.shape == (*size, 3)
        assert mask.shape == size


@pytest.mark.parametrize("kind", list(ground.KINDS))
def test_every_surface_varies_and_stays_in_range(kind):
    one, other = (ground.procedural(np.random.default_rng(seed), (64, 80), kind) for seed in (1, 2))
    for surface in (one, other):
        assert surface.colour.shape == (3, 64, 80)
        assert surface.relief.shape == (64, 80)
        assert surface.colour.dtype == surface.relief.dtype == np.float32
        assert np.isfinite(surface.colour).all()
        assert np.isfinite(surface.relief).all()
        assert 0.03 < surface.colour.mean() < 1.2
    assert np.abs(one.colour - other.colour).mean() > 0.01


def test_cells_know_their_borders():
    cell, inside = ground.cells(np.random.default_rng(0), (64, 96), 12.0)
    assert 15 < len(np.unique(cell)) < 120
    across = cell[:, 1:] != cell[:, :-1]
    assert (inside[:, 1:][across] == 0).all()
    assert 3 < inside.max() < 15


@pytest.mark.parametrize("kind", list(distractors.DRAWERS))
def test_every_mark_changes_the_surface(kind):
    colour, relief = np.full((3, 96, 96), 0.5, np.float32), np.zeros((96, 96), np.float32)
    changed = 0
    for seed in range(6):
        new_colour, new_relief = distractors.DRAWERS[kind](np.random.default_rng(seed), colour, relief)
        assert new_colour.shape == colour.shape
        assert new_colour.dtype == new_relief.dtype == np.float32
        assert np.isfinite(new_colour).all()
        assert new_colour.min() > -0.01
        changed += np.abs(new_colour - colour).max() > 0.02 or np.abs(new_relief - relief).max() > 0.02
    assert changed >= 4


def test_what_lies_before_a_crack_hides_it():
    lit = np.full((3, 96, 96), 0.5, np.float32)
    most = 0.0
    for seed in range(60):
        picture, hidden = objects.add_objects(np.random.default_rng(seed), lit, (1.0, 0.0))
        assert picture.shape == lit.shape
        assert 0 <= hidden.min() <= hidden.max() <= 1
        if hidden.max() == 0:
            continue
        most = max(most, hidden.mean())
        assert np.abs(picture - lit)[:, hidden > 0.5].mean() > 0.02
    assert most > 0.005


def test_an_opening_is_dark_inside_and_untouched_far_away():
    points = np.stack([np.linspace(-10, 140, 301), np.full(301, 64.0)], 1)
    lit = np.full((3, *SIZE), 0.6, np.float32)
    for style, width in (("hairline", 1.5), ("thin", 3.0), ("open", 8.0), ("gap", 30.0)):
        inside = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            covered = cracks.coverage(rng, [CrackPath(points, np.full(301, width))], SIZE)
            opened = openings.open_surface(rng, lit, cracks.Cracks(style, covered, covered, width), (0.0, 1.0))
            assert np.isfinite(opened).all()
            assert np.abs(opened[:, :8] - 0.6).max() < 0.05
            inside.append(float(opened[:, covered > 0.9].mean()) if (covered > 0.9).any() else 0.5)
        assert max(inside) < 0.62
        assert np.mean(inside) < (0.3 if style == "gap" else 0.52)


def test_photographs_of_a_folder(folder):
    train, test = SurfaceFolder(folder), SurfaceFolder(folder, split="test")
    assert len(train) == 21
    assert len(test) == 3
    assert not set(train.files) & set(test.files)
    assert train.fingerprint() != test.fingerprint()
    piece = train.piece(np.random.default_rng(0), (64, 48))
    assert piece.colour.shape == (3, 64, 48)
    assert piece.kind == "photograph"
    assert 0.1 < piece.colour.mean() < 1


def test_listed_photographs(folder):
    (folder / "list.txt").write_text("# two of them\nwalls/03.png\n\n00.png\n")
    surfaces = SurfaceFolder(folder, folder / "list.txt", split="test")
    assert [path.name for path in surfaces.files] == ["00.png", "03.png"]  # too few to hold any out
    (folder / "list.txt").write_text("missing.png\n")
    with pytest.raises(DataError, match=r"missing\.png"):
        len(SurfaceFolder(folder, folder / "list.txt"))


def test_decoded_photographs_are_bounded(folder):
    small = SurfaceFolder(folder, cache_mb=0.1)  # three of 32 kB
    for seed in range(12):
        small.piece(np.random.default_rng(seed), (32, 32))
    assert len(small._kept) <= 3


def test_threads_and_processes_share_a_folder(folder):
    small = SurfaceFolder(folder, cache_mb=0.1)
    pairs = WorldPairs("train", 24, (48, 48), 0, small, photographed=1.0)
    expected = [pairs.read(index)[0] for index in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for found, image in zip(pool.map(lambda index: pairs.read(index)[0], range(24)), expected, strict=True):
            np.testing.assert_array_equal(found, image)
    other = pickle.loads(pickle.dumps(pairs))
    assert len(other.surfaces._kept) == 0
    np.testing.assert_array_equal(other.read(7)[0], expected[7])


def test_bad_folders_and_arguments(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        len(SurfaceFolder(tmp_path / "none"))
    with pytest.raises(DataError, match="no image"):
        len(SurfaceFolder(tmp_path))
    wrong = ((("a", 0), "count"), (("a", 1, (16, 64)), "size"), (("a", 1, (64, 64), 0, None, 2), "photographed"))
    for arguments, name in wrong:
        with pytest.raises(ValueError, match=name):
            WorldPairs(*arguments)
    with pytest.raises(IndexError):
        WorldPairs("train", 1).read(1)


def test_fingerprint(folder):
    surfaces = SurfaceFolder(folder)
    variants = [("a", 3), ("b", 3), ("a", 4), ("a", 3, (64, 64)), ("a", 3, (320, 320), 0, surfaces)]
    prints = [WorldPairs(*args).fingerprint() for args in variants]
    assert len(set(prints)) == 5
    assert WorldPairs("a", 3, thinnest=3).fingerprint() != prints[0]


def test_the_data_module_draws_the_world_that_was_asked_for(folder):
    def test_part(**options):
        data = synthetic_data(Halving(), 4, 3, (64, 64), num_workers=0, **options)
        data.setup("test")
        return data.test.source

    assert isinstance(test_part(), SyntheticPairs)
    varied = test_part(world="varied", thinnest=3.0, sound=0.5)
    assert isinstance(varied, WorldPairs)
    assert (varied.surfaces, varied.thinnest, varied.sound, varied.split) == (None, 3.0, 0.5, "test")
    drawn_into = test_part(surfaces=str(folder), photographed=1.0)
    assert isinstance(drawn_into, WorldPairs)
    assert drawn_into.surfaces.split == "test"
    assert drawn_into.picture(0).kind == "photograph"
    with pytest.raises(ValueError, match="world: expected one of plain, varied"):
        synthetic_data(Halving(), world="wide")
