"""An evaluation folder of an invented network: real pictures, metrics and files, no training and no command line."""

from pathlib import Path

import torch

from csbsr.contracts import JointOutput
from csbsr.data import SyntheticPairs, evaluation_generator
from csbsr.degradation import Degradation
from csbsr.metrics import CrackMetrics
from csbsr.report.files import write_evaluation
from csbsr.report.page import PICTURES
from csbsr.report.pictures import ImagePictures
from csbsr.report.runcard import run_card

NETWORK = {
    "_target_": "csbsr.joint.JointNetwork",
    "sr": {"_target_": "csbsr.sr.KBPN", "scale": 4},
    "segmentor": {"_target_": "csbsr.segmentor.PSPNet", "blur_skip": None},
}


def samples(count: int, side: int, seed: int = 0):
    """Batches of one image each, and what the invented network makes of them, the worse the later."""
    pairs, degradation = SyntheticPairs("test", count, (side, side)), Degradation(4)
    for index in range(count):
        image, mask = pairs.read(index)
        name = f"wall/{pairs.name(index)}"
        batch = {
            "hr": torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float() / 255,
            "mask": torch.from_numpy(mask)[None, None].float(),
            "blur": degradation.draw(evaluation_generator(seed, name))[None],
            "name": [name],
        }
        batch["lr"], batch["kernel"] = degradation(batch["hr"], batch["blur"])
        generator = torch.Generator().manual_seed(1000 * seed + index)
        badness = index / count
        small = torch.rand((1, 1, side // 8, side // 8), generator=generator)
        noise = torch.nn.functional.interpolate(small, (side, side), mode="bilinear")
        near = torch.nn.functional.avg_pool2d(batch["mask"], 3, 1, 1)
        segmentation = (near * (1.1 - badness * noise) + 0.8 * badness * (noise > 0.93)).clamp(0, 1)
        bicubic = torch.nn.functional.interpolate(batch["lr"], (side, side), mode="bicubic")
        sr = (0.4 * bicubic + 0.6 * batch["hr"]).clamp(0, 1)
        kernel = degradation(batch["hr"], batch["blur"] * torch.tensor([1.2, 0.9, 1.0]))[1]
        yield batch, JointOutput(sr, segmentation, kernel)


def evaluation(folder: Path, count: int = 10, side: int = 64, seed: int = 0, threshold: float | None = 0.4) -> Path:
    """Write the folder that ``csbsr-eval`` would."""
    metrics = CrackMetrics(threshold=threshold)
    folder.mkdir(parents=True)
    for batch, output in samples(count, side, seed):
        metrics.update(output, batch)
        row = {key: batch[key][0].numpy() for key in ("lr", "hr", "mask", "kernel")}
        row |= {"sr": output.sr[0].numpy(), "segmentation": output.segmentation[0].numpy()}
        ImagePictures(folder / PICTURES, batch["name"][0]).save(row | {"estimated_kernel": output.kernel[0].numpy()})
    card = run_card(
        "csbsr-eval", ["ckpt=it's mine.ckpt", f"seed={seed}"], seed, {"seed": seed, "note": "<b>&</b>"},
        {"name": "invented", "fingerprint": "0123456789abcdef", "images": count}, network=NETWORK, scale=4,
        recommended_threshold=threshold, date="2024-01-01 00:00 UTC",
    )  # fmt: skip
    write_evaluation(folder, metrics.compute(), metrics.definitions(), metrics.rows(), metrics.curves(), card)
    return folder
