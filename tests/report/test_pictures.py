"""Pictures on disk: masks exact at every threshold, overlays, kernel widths, previews."""

import base64
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.degradation import anisotropic_gaussian_kernel, delta_kernel
from csbsr.metrics.functional import THRESHOLDS, counts_by_threshold
from csbsr.pages.overlay import VERDICTS, overlay
from csbsr.report.pictures import ImagePictures


def decoded(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head.startswith("data:image/")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_masks_are_exact_at_every_threshold(tmp_path):
    generator = torch.Generator().manual_seed(0)
    p = torch.rand((1, 1, 40, 30), generator=generator)
    p[0, 0, :, :4] = torch.tensor([step / 100 for step in range(160)]).clamp(0, 1).reshape(40, 4)  # on the thresholds
    own = ImagePictures(tmp_path, "a/b.png")
    own.save({"segmentation": p[0].numpy()})
    counted = counts_by_threshold(p, torch.zeros_like(p)).predicted[0]
    for i, threshold in enumerate(THRESHOLDS):
        predicted = own.predicted(threshold)
        assert np.array_equal(predicted, (p[0, 0] > torch.tensor(threshold)).numpy())
        assert predicted.sum() == counted[i]
    with pytest.raises(ValueError, match="threshold"):
        own.predicted(0.415)


def test_overlay_by_hand():
    predicted, mask = np.array([[1, 1], [0, 0]], bool), np.array([[1, 0], [1, 0]], bool)
    layer = np.asarray(overlay(predicted, mask))
    hit, false, miss = (verdict.colour for verdict in VERDICTS)
    assert [tuple(layer[place][:3]) for place in ((0, 0), (0, 1), (1, 0))] == [hit, false, miss]
    assert layer[1, 1, 3] == 0
    assert (layer[..., 3].ravel()[:3] > 200).all()
    with pytest.raises(ValueError, match="one shape"):
        overlay(predicted, mask[:1])


def test_verdicts_differ_in_lightness():
    weights = np.array([0.2126, 0.7152, 0.0722])
    light = sorted(float(((np.array(verdict.colour) / 255) ** 2.2) @ weights) for verdict in VERDICTS)
    assert min(np.diff(light)) > 0.15


def test_a_thin_crack_survives_a_small_preview(tmp_path):
    mask = np.zeros((1, 600, 600), np.float32)
    mask[0, :, 300] = 1
    own = ImagePictures(tmp_path, "thin.png")
    own.save({"mask": mask, "segmentation": np.zeros_like(mask)})
    layer = decoded(own.verdict(0.5, size=200))
    assert layer.shape == (200, 200, 4)
    assert (layer[..., 3].max(1) > 60).all()
    assert tuple(layer[100, layer[100, :, 3].argmax(), :3]) == pytest.approx(VERDICTS[2].colour, abs=6)


@pytest.mark.parametrize(("sigma_1", "sigma_2", "theta"), [(1.2, 2.0, 30.0), (0.8, 0.8, 0.0), (2.2, 1.0, 120.0)])
def test_blur_width_of_a_gaussian(tmp_path, sigma_1, sigma_2, theta):
    kernel = anisotropic_gaussian_kernel(*(torch.tensor([v]) for v in (sigma_1, sigma_2, theta)), size=21)
    own = ImagePictures(tmp_path, "k.png")
    own.save({"kernel": kernel[0].numpy()})
    assert own.blur_width() == pytest.approx(math.sqrt(sigma_1 * sigma_2), rel=0.02)


def test_blur_width_of_a_pixel_and_of_nothing(tmp_path):
    own = ImagePictures(tmp_path, "k.png")
    own.save({"kernel": delta_kernel(torch.zeros(1, 3, 4, 4), 21)[0].numpy()})
    assert own.blur_width() == 0
    assert math.isnan(ImagePictures(tmp_path, "other.png").blur_width())


def test_previews(tmp_path):
    y, x = np.mgrid[:32, :48] / 48
    lr = np.stack([x, y, 0.5 + 0 * x]).astype(np.float32)
    own = ImagePictures(tmp_path, "p.png")
    own.save({"lr": lr, "sr": np.zeros((3, 128, 192), np.float32), "kernel": None})
    wanted = torch.nn.functional.interpolate(torch.from_numpy(lr)[None], scale_factor=4, mode="bicubic")[0]
    bicubic = decoded(own.preview("bicubic")) / 255
    assert bicubic.shape == (128, 192, 3)
    assert np.abs(bicubic - wanted.numpy().transpose(1, 2, 0)).mean() < 0.01
    assert max(decoded(own.preview("sr", size=96)).shape) == 96
    assert own.preview("hr") is own.kernel("kernel") is own.verdict(0.5) is None
