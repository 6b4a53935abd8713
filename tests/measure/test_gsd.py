"""Ground sampling distances with their uncertainty."""

import copy
import json
import pickle

import pytest

from csbsr.measure import GroundSampling, ground_sampling, gsd_of


@pytest.mark.parametrize(
    ("given", "value", "uncertainty"),
    [
        (0.4, 0.4, 0.0),
        ("0.4", 0.4, 0.0),
        ("0.4+-0.02", 0.4, 0.02),
        ("0.4 ± 0.02", 0.4, 0.02),
        ("0.4+/-2e-2", 0.4, 0.02),
        (GroundSampling(0.4, 0.1), 0.4, 0.1),
    ],
)
def test_a_number_with_or_without_its_uncertainty(given, value, uncertainty):
    found = ground_sampling(given)
    assert (found, found.uncertainty) == (value, uncertainty)
    assert json.dumps(found) == "0.4"
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert (again, again.uncertainty) == (value, uncertainty)


@pytest.mark.parametrize("given", [0, -1, "nan", "0.4+-", "0.4+-0.5", "0.4+--0.1", "+-0.1", "0.4+-0.1+-0.1", "0.4±nan"])
def test_nonsense_is_refused_with_what_is_expected(given):
    with pytest.raises(ValueError, match=r"gsd_mm: expected millimetres per pixel above 0.*0\.4\+-0\.02"):
        ground_sampling(given)


def test_a_list_may_have_a_column_of_uncertainties(tmp_path):
    path = tmp_path / "gsd.csv"
    path.write_text("file,gsd_mm,gsd_mm_uncertainty\na.jpg,0.4,0.02\nb.jpg,0.3,\nc.jpg,0.2±0.01,\n", encoding="utf-8")
    table = ground_sampling(path)
    found = [(gsd_of(name, table), gsd_of(name, table).uncertainty) for name in ("a.jpg", "b.jpg", "c.jpg")]
    assert found == [(0.4, 0.02), (0.3, 0.0), (0.2, 0.01)]
    path.write_text("file,gsd_mm,gsd_mm_uncertainty\na.jpg,0.4,often\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2.*a\.jpg"):
        ground_sampling(path)
