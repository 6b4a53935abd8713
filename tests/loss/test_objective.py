"""The objects a training step calls: how a system's terms are joined, named, and computed."""

from contextlib import nullcontext

import pytest
import torch

from csbsr.contracts import Batch, JointOutput
from csbsr.loss import DSRLLoss, JointLoss, SegmentationLoss, SuperResolutionLoss, functional


def tensors(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_batch() -> Batch:
    mask = (tensors(2, 1, 32, 48, seed=1) < 0.1).double()
    return Batch(
        hr=tensors(2, 3, 32, 48, seed=2), lr=tensors(2, 3, 8, 12, seed=3), kernel=tensors(2, 1, 5, 5), mask=mask
    )


def make_output(auxiliaries: int = 1, **change) -> JointOutput:
    output = JointOutput(
        sr=tensors(2, 3, 32, 48, seed=4).requires_grad_(),
        segmentation=tensors(2, 1, 32, 48, seed=5).requires_grad_(),
        kernel=tensors(2, 1, 5, 5, seed=6).requires_grad_(),
        auxiliaries=tuple(tensors(2, 1, 32, 48, seed=7 + i).requires_grad_() for i in range(auxiliaries)),
    )
    return output._replace(**change)


def combo() -> SegmentationLoss:
    return SegmentationLoss({"weighted_bce": 1, "dice": 1})


def l_sr(output: JointOutput, batch: Batch, weights=(0.4, 0.4, 0.2), maps=(), **arguments) -> torch.Tensor:
    given = (output.sr, batch["hr"], batch["lr"], output.kernel, batch["kernel"])
    return functional.super_resolution_loss(*given, weights, maps, **arguments).total


def close(value: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-15)


def test_segmentation_loss_is_each_published_combination():
    p, y = make_output().segmentation, make_batch()["mask"]
    phi = tensors(2, 1, 32, 48, seed=9)
    for alpha in (1.0, 0.3):
        close(combo()(p, y, alpha).total, functional.boundary_combo(p, y, alpha))
        close(combo()(p, y, alpha, phi).total, functional.boundary_combo(p, y, alpha, distance=phi))
        weighted = SegmentationLoss({"weighted_bce": 1.0, "dice": 3.0}, pos_weight=[20, 1])
        close(weighted(p, y, alpha).total, functional.boundary_combo(p, y, alpha, (20, 1), (1, 3)))
        general = SegmentationLoss({"weighted_bce": 1.0, "generalized_dice": 1.0}, pos_weight=(2, 1))
        close(general(p, y, alpha).total, functional.generalized_boundary_combo(p, y, alpha, (2, 1)))
        general = SegmentationLoss({"generalized_dice": 1.0})
        close(general(p, y, alpha).total, functional.boundary_generalized_dice(p, y, alpha))
        plain = SegmentationLoss({"weighted_bce": 1, "dice": 1}, boundary=False)
        close(plain(p, y, alpha).total, functional.bce_dice(p, y))
        close(SegmentationLoss({"dice": 1}, boundary=False)(p, y, alpha).total, functional.dice(p, y))


def test_segmentation_loss_names_its_terms():
    p, y = make_output().segmentation, make_batch()["mask"]
    terms = combo()(p, y, 0.3).terms
    assert list(terms) == ["weighted_bce", "dice", "boundary"]
    for name, value in terms.items():
        close(value, getattr(functional, name)(p, y).detach())
        assert not value.requires_grad


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"region": {"bce": 1}},
            r"expected terms out of weighted_bce, dice, generalized_dice, batch_dice, soft_cl_dice, got \['bce'\]",
        ),
        ({"region": {}}, "region: expected at least one term"),
        ({"region": {"dice": 0}}, "region: expected at least one term with a weight > 0"),
        ({"region": {"dice": 1}, "pos_weight": (20, 1)}, "pos_weight: only weighted_bce reads it"),
    ],
)
def test_wrong_segmentation_losses_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SegmentationLoss(**arguments)


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("antialias", [False, True])
def test_super_resolution_loss_keeps_its_arguments(padding, antialias):
    output, batch, maps = make_output(), make_batch(), [tensors(2, 1, 32, 48)]
    loss = SuperResolutionLoss([0.1, 0.2, 0.3], padding, antialias)(output, batch, maps)
    close(loss.total, l_sr(output, batch, (0.1, 0.2, 0.3), maps, padding=padding, antialias=antialias))
    assert list(loss.terms) == ["l1", "pseudo_lr", "kernel"]


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("auxiliary_weight", [0.0, 0.4])
def test_joint_total(beta, auxiliary_weight):
    output, batch = make_output(), make_batch()
    loss = JointLoss(SuperResolutionLoss(), combo(), beta, auxiliary_weight)(output, batch, 0.6, joint=True)
    main, auxiliary = (
        functional.boundary_combo(p, batch["mask"], 0.6) for p in (output.segmentation, output.auxiliaries[0])
    )
    expected = (1 - beta) * l_sr(output, batch) + beta * (main + auxiliary_weight * auxiliary)
    assert loss.total.shape == (2,)
    close(loss.total, expected)


def test_joint_terms_are_named_and_add_up():
    output, batch = make_output(), make_batch()
    loss = JointLoss(SuperResolutionLoss(), combo())(output, batch, 0.6, joint=True)
    terms = loss.terms
    assert set(terms) == {
        *("sr", "sr_l1", "sr_pseudo_lr", "sr_kernel"),
        *("segmentation", "segmentation_main", "segmentation_auxiliary"),
        *("segmentation_weighted_bce", "segmentation_dice", "segmentation_boundary"),
    }
    assert all(term.shape == (2,) and not term.requires_grad for term in terms.values())
    close(terms["sr"], 0.4 * terms["sr_l1"] + 0.4 * terms["sr_pseudo_lr"] + 0.2 * terms["sr_kernel"])
    close(terms["segmentation"], terms["segmentation_main"] + 0.4 * terms["segmentation_auxiliary"])
    region = (terms["segmentation_weighted_bce"] + terms["segmentation_dice"]) / 2
    close(terms["segmentation_main"], 0.6 * region + 0.4 * terms["segmentation_boundary"])
    close(loss.total.detach(), 0.7 * terms["sr"] + 0.3 * terms["segmentation"])


def test_before_the_joint_phase_only_l_sr_counts():
    output, batch = make_output(0, segmentation=None), make_batch()
    loss = JointLoss(SuperResolutionLoss(), combo(), fail_weight=1.0)(output, batch, 1.0, joint=False)
    close(loss.total, l_sr(output, batch))
    assert set(loss.terms) == {"sr", "sr_l1", "sr_pseudo_lr", "sr_kernel"}


def test_no_auxiliaries_no_auxiliary_term():
    loss = JointLoss(SuperResolutionLoss(), combo())(make_output(0), make_batch(), 0.6, joint=True)
    assert "segmentation_auxiliary" not in loss.terms
    close(loss.terms["segmentation"], loss.terms["segmentation_main"])


def test_five_sides_count_five_times_the_loss_of_all_at_once():
    output, batch = make_output(5), make_batch()
    loss = JointLoss(SuperResolutionLoss(), combo())(output, batch, 0.6, joint=True)
    stack = torch.cat(output.auxiliaries, 1)
    close(loss.terms["segmentation_auxiliary"], 5 * functional.boundary_combo(stack, batch["mask"], 0.6).detach())


def test_ready_distance_maps_are_used():
    output, batch = make_output(), make_batch()
    phi, crack_distance = tensors(2, 1, 32, 48, seed=20), 9 * tensors(2, 1, 32, 48, seed=21)
    loss = JointLoss(SuperResolutionLoss(), combo(), crack_weight=0.5)
    made = loss(output, batch, 0.6, joint=True)
    given = loss(output, batch | {"distance": phi, "crack_distance": crack_distance}, 0.6, joint=True)
    close(given.terms["segmentation_boundary"], functional.boundary(output.segmentation, batch["mask"], phi).detach())
    weight = functional.crack_oriented_weight(batch["mask"], 0.5, crack_distance)
    close(given.terms["sr"], l_sr(output, batch, maps=[weight]).detach())
    maps = {
        "distance": functional.normalized_signed_distance(batch["mask"]),
        "crack_distance": functional.distance_to_crack(batch["mask"]),
    }
    close(loss(output, batch | maps, 0.6, joint=True).total, made.total)


def test_segmentation_aware_weights():
    output, batch = make_output(), make_batch()
    crack = functional.crack_oriented_weight(batch["mask"], 2.0)
    fail = functional.fail_oriented_weight(output.segmentation, batch["mask"], 1.5)
    for arguments, joint_maps, early_maps in (
        ({"crack_weight": 2.0}, [crack], [crack]),
        ({"fail_weight": 1.5}, [fail], []),
        ({"crack_weight": 2.0, "fail_weight": 1.5}, [crack, fail], [crack]),
    ):
        loss = JointLoss(SuperResolutionLoss(), combo(), **arguments)
        close(loss(output, batch, 0.6, joint=True).terms["sr"], l_sr(output, batch, maps=joint_maps).detach())
        close(loss(output, batch, 0.6, joint=False).total, l_sr(output, batch, maps=early_maps))


def test_gradients_reach_every_output():
    output, batch = make_output(2), make_batch()
    JointLoss(SuperResolutionLoss(), combo(), fail_weight=1.0)(output, batch, 0.6, joint=True).total.mean().backward()
    for part in (output.sr, output.segmentation, output.kernel, *output.auxiliaries):
        assert part.grad.isfinite().all()
        assert (part.grad != 0).any()


def test_network_without_kernel_and_without_parameters():
    batch = make_batch()
    output = make_output(kernel=None)._replace(sr=batch["hr"])
    loss = JointLoss(SuperResolutionLoss(), combo())(output, batch, 0.6, joint=True)
    assert (loss.terms["sr"] == 0).all()
    assert "sr_kernel" not in loss.terms
    loss.total.mean().backward()
    assert output.segmentation.grad.isfinite().all()


def test_uniform_masks_give_finite_losses_and_gradients():
    for value in (0.0, 1.0):
        output, batch = make_output(), make_batch() | {"mask": torch.full((2, 1, 32, 48), value)}
        loss = JointLoss(SuperResolutionLoss(), combo(), crack_weight=2.0, fail_weight=1.0)
        total = loss(output, batch, 0.01, joint=True).total
        total.mean().backward()
        assert total.isfinite().all()
        assert output.segmentation.grad.isfinite().all()


def test_bfloat16_autocast_changes_nothing():
    batch = {name: values.float() for name, values in make_batch().items()}
    output = JointOutput(*(values.detach().float() for values in make_output()[:3]), (), None)
    loss = JointLoss(SuperResolutionLoss(), combo(), crack_weight=2.0, fail_weight=1.0)
    expected = loss(output, batch, 0.5, joint=True).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(output, batch, 0.5, joint=True).total, expected, rtol=0, atol=0)


def test_the_step_reads_no_value_on_the_device(monkeypatch):
    # tensors on the meta device have no values: looking at one raises; nor does that device know autocast
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    batch = make_batch() | {"distance": tensors(2, 1, 32, 48), "crack_distance": tensors(2, 1, 32, 48)}
    batch = {name: values.to("meta") for name, values in batch.items()}
    features = (tensors(2, 3, 32, 48).to("meta"), tensors(2, 3, 32, 48).to("meta"))
    output = JointOutput(
        *(values.detach().to("meta").requires_grad_() for values in make_output()[:3]),
        auxiliaries=(tensors(2, 1, 32, 48).to("meta"),),
        affinity_features=features,
    )
    for loss in (JointLoss(SuperResolutionLoss(), combo(), crack_weight=2.0, fail_weight=1.0), DSRLLoss(combo())):
        loss(output, batch, 0.5, joint=True).total.mean().backward()


def test_dsrl_total():
    features = tensors(2, 3, 32, 48, seed=30), tensors(2, 3, 32, 48, seed=31)
    output, batch = make_output(kernel=None, affinity_features=features), make_batch()
    loss = DSRLLoss(combo(), weights=(1.0, 0.5, 0.25), pool=8)(output, batch, 0.6, joint=True)
    segmentation = functional.boundary_combo(output.segmentation, batch["mask"], 0.6)
    l1, affinity = (output.sr - batch["hr"]).abs().mean((1, 2, 3)), functional.feature_affinity(*features, pool=8)
    close(loss.total, segmentation + 0.5 * l1 + 0.25 * affinity)
    close(loss.terms["affinity"], affinity)
    close(DSRLLoss(combo())(output, batch, 0.6, joint=False).total, l1)
    published = segmentation + 0.5 * l1 + 0.5 * functional.feature_affinity(*features)
    close(DSRLLoss(combo())(output, batch, 0.6, joint=True).total, published)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: JointLoss(SuperResolutionLoss(), combo(), beta=1.2), r"beta: expected a number in \[0, 1\], got 1.2"),
        (lambda: JointLoss(SuperResolutionLoss(), combo(), crack_weight=-1), "crack_weight: expected a number >= 0"),
        (lambda: JointLoss(SuperResolutionLoss(), combo(), auxiliary_weight=-1), "auxiliary_weight: expected"),
        (
            lambda: JointLoss(SuperResolutionLoss(), combo())(make_output(segmentation=None), make_batch(), 1.0, True),
            "output: expected a segmentation in the joint phase, got None",
        ),
        (lambda: DSRLLoss(combo(), weights=(1, 1)), "weights: expected three numbers"),
        (
            lambda: DSRLLoss(combo())(make_output(), make_batch(), 1.0, True),
            "expected affinity_features.*needs DSRL",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
