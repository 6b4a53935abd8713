"""From a lit scene to the picture of a camera: lens, sensor, tone curve, sharpening, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from csbsr.data.world.ground import Generator


def photograph(rng: Generator, scene: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB of the scene (3, H, W): its noise and sharpness are the same in every crack."""
    image = np.ascontiguousarray(scene.transpose(1, 2, 0))
    softness = rng.uniform(0.3, 1.0) if rng.random() < 0.85 else rng.uniform(1.0, 1.7)
    image = cv2.GaussianBlur(image, (0, 0), float(softness))
    warmth = rng.normal(0, 0.04)
    # exposure: towards the middle of the scale, as far as a camera goes
    wanted = float(np.clip(rng.normal(0.49, 0.08), 0.2, 0.8))
    gain = (wanted / max(float(image.mean()), 0.05)) ** rng.uniform(0.5, 1.0)
    image *= (np.array([1 + warmth, 1 + rng.normal(0, 0.015), 1 - warmth]) * gain).astype(np.float32)
    image = image / (1 + np.float32(0.25) * np.maximum(image - np.float32(0.75), 0))  # highlights roll off
    noise = rng.uniform(0.001, 0.016)
    coarse = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    coloured = rng.standard_normal(image.shape, dtype=np.float32) if rng.random() < 0.4 else np.float32(0)
    level = np.sqrt(np.clip(image, 0.02, 1))  # shot noise grows with the root of the light
    image = image + level * np.float32(1.4 * noise) * (coarse + np.float32(0.5) * coloured)
    if rng.random() < 0.3:  # what telephones do
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 1.8)))
        image = image + np.float32(rng.uniform(0.2, 1.2)) * (image - soft)
    picture = np.clip(image * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    if rng.random() < 0.45:
        quality = int(rng.integers(55, 97))
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return picture
