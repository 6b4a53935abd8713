"""Severity from width: the two guides as shipped, by hand; the border of a class; wrong guides."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from csbsr.build import build
from csbsr.measure import WidthGuide, measure_cracks

CONF = Path(__file__).parents[2] / "conf" / "severity"
LIMITS = [
    {"exposure": "dry", "width_mm": 0.4},
    {"exposure": "wet", "width_mm": 0.1},
    {"exposure": "salt", "width_mm": 0.2},
]


def guide(name, **change):
    return build({**yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")), **change})


@pytest.mark.parametrize(
    ("width", "level", "label", "exceeded"),
    [
        (0.05, 0, "up to 0.10 mm", 0),
        (0.10, 0, "up to 0.10 mm", 0),
        (0.12, 1, "over 0.10 up to 0.15 mm", 1),
        (0.16, 2, "over 0.15 up to 0.18 mm", 2),
        (0.25, 3, "over 0.18 up to 0.30 mm", 3),
        (6 * 0.05, 3, "over 0.18 up to 0.30 mm", 3),  # 0.30000000000000004
        (0.41, 4, "over 0.30 up to 0.41 mm", 4),
        (0.5, 5, "over 0.41 mm", 5),
    ],
)
def test_aci_224r(width, level, label, exceeded):
    severity = guide("aci_224r").classify(width)
    assert (severity.level, severity.label, len(severity.exceeded)) == (level, label, exceeded)
    assert severity.exceeded[:1] == (() if level == 0 else ("water-retaining structures",))
    assert severity.exceeds is None


def test_eurocode_2_has_two_limits_for_eleven_exposures():
    eurocode = guide("eurocode_2", exposure="XC3")
    assert eurocode.steps == [0.3, 0.4]
    assert {name for name, limit in eurocode.limits.items() if limit == 0.4} == {"X0", "XC1"}
    assert len(eurocode.limits) == 11
    assert eurocode.classify(0.3).level == 0
    assert not eurocode.classify(0.3).exceeds
    over = eurocode.classify(0.35)
    assert (over.level, len(over.exceeded), over.exceeds) == (1, 9, True)
    assert eurocode.classify(0.41).level == 2


@pytest.mark.parametrize("name", ["aci_224r", "eurocode_2"])
def test_the_guides_name_themselves(name):
    shipped = guide(name)
    assert shipped.name.split(",")[0].split(" (")[0] in shipped.source
    assert "Table" in shipped.name
    assert shipped.note
    assert shipped.exposure is None


def test_a_class_within_the_uncertainty_of_a_limit_says_so():
    own = WidthGuide("own", "here", LIMITS)
    assert own.classify(0.21, 0.02).uncertain
    assert own.classify(0.19, 0.02).uncertain
    assert not own.classify(0.25, 0.02).uncertain
    assert not own.classify(0.21).uncertain


@pytest.mark.parametrize(("width", "level"), [("mean", 0), ("percentile", 1), ("maximum", 2)])
def test_the_chosen_width_of_the_crack_is_classified(width, level):
    mask = np.zeros((60, 400), bool)
    mask[20:24, 10:390] = True
    mask[20:27, 320:360] = True
    mask[20:32, 340:352] = True
    own = WidthGuide(
        "own", "here", [{"exposure": "a", "width_mm": 5.6}, {"exposure": "b", "width_mm": 10}], width=width
    )
    found = measure_cracks(mask, gsd_mm=1, percentile=92)
    assert own.of_crack(found.cracks[0], found).level == level
    assert own.of_image(found).level == level
    without = measure_cracks(mask)
    assert own.of_crack(without.cracks[0], without) is own.of_image(without) is None
    assert own.of_image(measure_cracks(np.zeros((9, 9), bool), gsd_mm=1)) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"limits": []}, "limits"),
        ({"limits": [{"exposure": "a"}]}, "limits"),
        ({"limits": [{"exposure": "a", "width_mm": 0}]}, "limits"),
        ({"width": "median"}, "mean, maximum, percentile"),
        ({"exposure": "damp"}, "wet; salt; dry"),
    ],
)
def test_wrong_guides_are_named(change, word):
    with pytest.raises(ValueError, match=word):
        WidthGuide(**{"name": "own", "source": "here", "limits": LIMITS, **change})
