"""The published rows, to stand beside one's own (Kondo & Ukita 2024; khanhha test set, ×4, blind)."""

from __future__ import annotations

FOOTNOTE = (
    "Published rows: Kondo & Ukita 2024, khanhha test set, ×4, blind; other data give other numbers. What the authors' "
    "release prints as HD95 is its 50th percentile, so compare their HD95 and AHD95 with HD50 and AHD50 here."
)

_COLUMNS = ("iou_max", "aiu", "hd95_min", "ahd95", "psnr", "ssim")
_ROWS = {
    "CSBSR, PSPNet, β = 0.3": (0.573, 0.552, 20.92, 22.52, 28.75, 0.703),
    "CSBSR, HRNet+OCR, β = 0.9": (0.553, 0.534, 17.54, 20.29, 27.66, 0.668),
    "CSBSR, CrackFormer, β = 0.9": (0.469, 0.443, 39.37, 56.59, 25.93, 0.571),
    "CSBSR, U-Net, β = 0.3": (0.530, 0.506, 26.33, 27.24, 28.68, 0.702),
    "CSSR (DBPN + PSPNet), β = 0.7": (0.557, 0.539, 21.20, 24.74, 28.35, 0.656),
    "CSBSR, PSPNet, fail weight m = 1": (0.573, 0.551, 18.73, 21.7, 28.73, 0.702),
    "CSBSR, PSPNet, fail weight m = 1, BlurSkip": (0.550, 0.528, 18.06, 19.1, 28.65, 0.702),
    "PSPNet on HR images (upper bound)": (0.616, 0.559, 6.20, 11.89),
    "SrcNet": (0.368, 0.320, 95.16, 130.47),
    "DSRL": (0.391, 0.285, 44.23, 148.97),
    "KBPN + PSPNet, trained apart": (0.548, 0.524, 28.45, 31.62),
}

#: Name of a published system to its numbers, by the keys of `csbsr.metrics.CrackMetrics.compute`.
PUBLISHED: dict[str, dict[str, float]] = {
    name: dict(zip(_COLUMNS, values, strict=False)) for name, values in _ROWS.items()
}
