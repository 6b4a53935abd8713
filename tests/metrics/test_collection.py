"""CrackMetrics: its numbers against the functions, its rows, states and settings; two processes against one."""

import io
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from csbsr.build import build
from csbsr.contracts import JointOutput
from csbsr.metrics import DEFINITIONS, CrackMetrics
from csbsr.metrics import functional as F
from csbsr.metrics.summary import GROUPS

CONF = Path(__file__).parents[2] / "conf" / "metrics"


def case(index, size=(50, 56)):
    """Output and batch of one image; every seventh mask and every fifth prediction is empty."""
    draw = torch.Generator().manual_seed(index)
    hr = torch.rand(1, 3, *size, generator=draw)
    kernel = torch.rand(1, 1, 5, 5, generator=draw)
    mask = torch.zeros(1, 1, *size)
    if index % 7:
        mask[..., 3 + index % 9, 2:20] = 1
        mask[..., 4:14, 8] = 1
    noise = torch.rand(1, 1, *size, generator=draw)
    segmentation = (0.6 * mask.roll(index % 3, 2) + 0.35 * noise) * (index % 5 > 0)
    output = JointOutput(
        (hr + 0.1 * torch.rand(hr.shape, generator=draw)).clamp(0, 1), segmentation, kernel / kernel.sum()
    )
    batch = {"hr": hr, "mask": mask, "kernel": torch.full((1, 1, 5, 5), 1 / 25), "name": [f"a b/{index:03d}ä.png"]}
    return output, batch | {"blur": torch.tensor([[1.0 + index, 2.0, 30.0]])}


def stacked(indices):
    outputs, batches = zip(*map(case, indices), strict=True)
    output = JointOutput(*(torch.cat([o[i] for o in outputs]) for i in range(3)))
    batch = {key: torch.cat([b[key] for b in batches]) for key in ("hr", "mask", "kernel", "blur")}
    return output, batch | {"name": [b["name"][0] for b in batches]}


def evaluated(indices, **settings):
    metrics = CrackMetrics(**settings)
    for index in indices:
        metrics.update(*case(index))
    return metrics


@pytest.fixture(scope="module")
def standard():
    metrics = evaluated(range(11), threshold=0.4)
    return metrics, metrics.compute()


def test_numbers_are_those_of_the_functions(standard):
    _, values = standard
    output, batch = stacked(range(11))
    pair = output.segmentation, batch["mask"]
    iou = F.iou_by_threshold(*pair)
    curve = iou.mean(0)
    assert values["iou_max"] == pytest.approx(curve.max().item(), abs=1e-12)
    assert values["iou_max_threshold"] == F.THRESHOLDS[int(curve.argmax())]
    assert values["aiu"] == pytest.approx(iou.mean().item(), abs=1e-12)
    hausdorff, mean = F.surface_distance_by_threshold(*pair, [95, 50])
    for key, value in (("hd95", hausdorff[0]), ("hd50", hausdorff[1]), ("msd", mean)):
        assert values[f"{key}_min"] == pytest.approx(value.mean(0).min().item(), abs=1e-12)
        assert values[f"a{key}"] == pytest.approx(value.mean().item(), abs=1e-12)
    assert values["hd95_min"] > values["hd50_min"]
    assert values["psnr"] == pytest.approx(F.psnr(output.sr, batch["hr"]).mean().item(), abs=1e-12)
    assert values["ssim"] == pytest.approx(F.ssim(output.sr, batch["hr"]).mean().item(), abs=1e-12)
    assert values["kernel_psnr"] == pytest.approx(F.kernel_psnr(output.kernel, batch["kernel"]).mean().item())
    at, predicted = 39, output.segmentation > 0.4
    hits, mask = (predicted & (batch["mask"] > 0)).sum().item(), batch["mask"].sum().item()
    precision, recall = hits / predicted.sum().item(), hits / mask
    assert values["recommended_threshold"] == 0.4
    assert values["iou"] == pytest.approx(iou[:, at].mean().item(), abs=1e-12)
    assert values["iou_pooled"] == pytest.approx(hits / (predicted.sum().item() + mask - hits), abs=1e-6)
    assert (values["precision"], values["recall"]) == pytest.approx((precision, recall), abs=1e-12)
    assert values["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-12)
    for suffix, tolerance in (("", 0), ("_2px", 2)):
        counts = F.counts_by_threshold(*pair, tolerance)
        pool = F.pooled(counts)
        assert values[f"ods{suffix}"] == F.f1(pool).max().item()
        assert values[f"ois{suffix}"] == pytest.approx(F.f1(counts).max(1).values.mean().item(), abs=1e-12)
        assert values[f"ap{suffix}"] == F.average_precision(pool).item()
        assert values[f"precision{suffix}"] == F.precision(pool)[at].item()
        assert values[f"recall{suffix}"] == F.recall(pool)[at].item()
        assert values[f"f1{suffix}"] == F.f1(pool)[at].item()
    assert values["f1_2px"] > values["f1"]
    assert values["ods_threshold"] == F.THRESHOLDS[int(F.f1(F.pooled(F.counts_by_threshold(*pair))).argmax())]
    assert values["cldice"] == pytest.approx(F.cl_dice(*pair, [0.4]).mean().item(), abs=1e-12)
    assert (values["images"], values["empty_masks"], values["empty_predictions"]) == (11, 2, 4)


def test_every_number_is_defined(standard):
    metrics, values = standard
    assert set(values) == set(DEFINITIONS)
    assert list(metrics.definitions()) == list(values)
    assert all(line and "\n" not in line for line in DEFINITIONS.values())


def test_batches_order_and_repetitions_change_nothing(standard):
    metrics, values = standard
    other = CrackMetrics(threshold=0.4)
    for indices in ([7, 3], [10, 0, 1, 2], [3, 4, 5, 6], [8, 9]):
        other.update(*stacked(indices))
    assert other.compute() == values
    assert other.rows() == metrics.rows()
    assert other.curves() == metrics.curves()


def test_recommended_threshold_of_these_images():
    given, own = evaluated(range(1, 5), threshold=0.2), evaluated(range(1, 5))
    assert own.compute()["recommended_threshold"] == own.compute()["iou_max_threshold"]
    assert "optimistic" in own.definitions()["recommended_threshold"]
    assert "validation" in given.definitions()["recommended_threshold"]
    same = evaluated(range(1, 5), threshold=own.compute()["recommended_threshold"])
    assert same.compute() == own.compute()  # clDice at one threshold and chosen from all 99 alike
    assert given.compute()["f1"] != own.compute()["f1"]


def test_rows(standard):
    metrics, values = standard
    rows = metrics.rows()
    assert [row["name"] for row in rows] == [f"a b/{index:03d}ä.png" for index in range(11)]
    output, batch = case(8)
    iou = F.iou_by_threshold(output.segmentation, batch["mask"])[0]
    assert rows[8]["iou"] == iou[39].item()
    assert rows[8]["iou_max"] == iou.max().item()
    assert rows[8]["iou_max_threshold"] == F.THRESHOLDS[int(iou.argmax())]
    assert rows[8]["psnr"] == F.psnr(output.sr, batch["hr"]).item()
    hausdorff, _ = F.surface_distance_by_threshold(output.segmentation, batch["mask"])
    assert (rows[8]["hd95"], rows[8]["hd95_min"]) == (hausdorff[0, 39].item(), hausdorff.min().item())
    assert (rows[8]["sigma_1"], rows[8]["sigma_2"], rows[8]["theta"]) == (9, 2, 30)
    assert (rows[8]["height"], rows[8]["width"]) == (50, 56)
    assert rows[8]["mask_pixels"] == int(batch["mask"].sum())
    assert rows[8]["predicted_pixels"] == int((output.segmentation > 0.4).sum())
    assert rows[8]["cldice"] == F.cl_dice(output.segmentation, batch["mask"], [0.4]).item()
    assert {type(value) for value in rows[8].values()} == {str, int, float}
    for key in ("iou", "psnr", "ssim", "kernel_psnr", "cldice"):
        assert np.mean([row[key] for row in rows]) == pytest.approx(values[key], abs=1e-12)


def test_curves(standard):
    metrics, values = standard
    curves = metrics.curves()
    assert curves["threshold"] == list(F.THRESHOLDS)
    assert max(curves["iou"]) == values["iou_max"]
    assert max(curves["f1"]) == values["ods"]
    assert max(curves["f1_2px"]) == values["ods_2px"]
    assert min(curves["hd95"]) == values["hd95_min"]
    assert curves["recall_2px"][39] == values["recall_2px"]
    assert CrackMetrics(groups=["image"]).groups == {"image"}
    assert evaluated([1], groups=["image"]).curves() == {}


def test_what_is_missing_is_nan_and_never_left_out():
    metrics = CrackMetrics()
    output, batch = case(3)
    del batch["blur"]
    metrics.update(output._replace(kernel=None), batch)
    values = metrics.compute()
    assert np.isnan(values.pop("kernel_psnr"))
    assert not np.isnan(list(values.values())).any()
    assert np.isnan(metrics.rows()[0]["sigma_1"])
    metrics.reset()
    metrics.update(output._replace(kernel=torch.rand(1, 1, 7, 7), segmentation=None), batch)
    values = metrics.compute()
    assert set(values) == set(DEFINITIONS)
    known = {key for key, value in values.items() if not np.isnan(value)}
    assert known == {"images", "psnr", "ssim", "psnr_interior"}
    assert np.isnan(metrics.rows()[0]["iou_max_threshold"])


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_alone(group):
    values = evaluated([1, 2, 3], groups=[group], threshold=0.5).compute()
    everything = evaluated([1, 2, 3], threshold=0.5).compute()
    assert len(values) > 1
    assert values == {key: everything[key] for key in values}


def test_the_frame_counts_in_psnr_alone_and_an_image_that_is_all_frame_in_no_mean():
    metrics = CrackMetrics(["image", "interior"])
    (large, batch), (small, other) = case(1, (60, 70)), case(2, (48, 70))
    metrics.update(large, batch)
    inside = metrics.compute()["psnr_interior"]
    assert inside == F.psnr(large.sr[..., 24:36, 24:46], batch["hr"][..., 24:36, 24:46]).item()
    large.sr[..., :24, :] = 0
    metrics.reset()
    metrics.update(large, batch)
    metrics.update(small, other)
    assert metrics.compute()["psnr_interior"] == inside
    assert np.isnan(metrics.rows()[1]["psnr_interior"])


def test_what_the_recommended_threshold_loses():
    given, chosen_here = evaluated(range(5), threshold=0.2), evaluated(range(5))
    curve = given.curves()["iou"]
    assert given.compute()["iou_lost"] == max(curve) - curve[19] > 0
    assert chosen_here.compute()["iou_lost"] == 0


def test_percentiles_are_in_the_names():
    values = evaluated([1, 2], groups=["surface"], percentiles=[99.5, 25]).compute()
    assert set(values) == {"images", "hd99.5_min", "ahd99.5", "hd25_min", "ahd25", "msd_min", "amsd"}
    assert set(evaluated([1], groups=["surface"], percentiles=[25]).definitions()) == set(values) - {
        "hd99.5_min",
        "ahd99.5",
    }


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("standard", set(DEFINITIONS)),
        ("fast", {"iou_max", "iou_max_threshold", "aiu", "psnr", "ssim", "kernel_psnr", "images"}),
        (
            "released",
            {"iou_max", "iou_max_threshold", "aiu", "hd50_min", "ahd50", "msd_min", "amsd", "psnr", "ssim"}
            | {"kernel_psnr", "images"},
        ),
    ],
)
def test_configs(name, keys):
    spec = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    metrics = build({**spec, "threshold": 0.3})
    metrics.update(*case(1))
    assert set(metrics.compute()) == keys


def test_state_stays_out_of_checkpoints_and_survives_precision():
    metrics = evaluated([1, 2])
    before = metrics.compute()
    assert metrics.state_dict() == {}
    metrics.half()
    torch.nn.ModuleList([metrics]).to(torch.bfloat16)
    metrics._computed = None
    assert metrics.compute() == before
    file = io.BytesIO()
    torch.save({"names": metrics.names, "values": metrics.values}, file)
    file.seek(0)
    assert len(torch.load(file, weights_only=True)["names"]) == 2
    metrics.reset()
    with pytest.raises(ValueError, match="at least one image"), pytest.warns(UserWarning, match="before"):
        metrics.compute()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="expected some of iou, surface"):
        CrackMetrics(groups=["iuo"])
    with pytest.raises(ValueError, match="percentiles"):
        CrackMetrics(percentiles=[0])
    with pytest.raises(ValueError, match="threshold"):
        CrackMetrics(threshold=0.555)
    output, batch = case(1)
    for key in ("name", "mask", "hr"):
        with pytest.raises(ValueError, match=key):
            CrackMetrics().update(output, {k: v for k, v in batch.items() if k != key})
    with pytest.raises(ValueError, match="NUL"):
        CrackMetrics().update(output, batch | {"name": ["a\0b"]})


# What each of two processes sees: divided evenly by repeating images, as a sampler does; unevenly; one without any.
SHARES = (([0, 2, 4, 6], [1, 3, 5, 0]), ([0, 1, 2, 3, 4], [5, 6]), ([1, 2], []))


def _evaluate_share(rank, port, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(rank + 1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    results = []
    for shares in SHARES:
        metrics = evaluated(shares[rank])
        results.append((metrics.compute(), metrics.curves()))
        if rank == 1:  # no longer needs the other process
            results[-1] += (metrics.rows(),)
        metrics.update(*case(20 + rank))  # gathering leaves each process its own rows
        results[-1] += (metrics.compute()["images"],)
    torch.save(results, Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_give_what_one_gives(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_evaluate_share, (port, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for shares, a, b in zip(SHARES, first, second, strict=True):
        one = evaluated(sorted({*shares[0], *shares[1]}))
        assert a[0] == b[0] == one.compute()
        assert a[1] == b[1] == one.curves()
        assert b[2] == one.rows()
        assert a[-1] == b[-1] == one.compute()["images"] + 2
