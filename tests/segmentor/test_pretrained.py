from urllib.error import URLError

import pytest
import torch

from csbsr.segmentor import PSPNet, UNet
from csbsr.segmentor.pretrained import URLS, load_pretrained
from csbsr.segmentor.resnet import resnet34

SMALL = (1, 1, 1, 1)


def published(network) -> dict[str, torch.Tensor]:
    """A state dict as torchvision publishes it: other values, a classifier besides."""
    weights = {name: torch.full_like(tensor, 3) for name, tensor in network.state_dict().items()}
    return weights | {"fc.weight": torch.zeros(1000, 4), "classifier.0.bias": torch.zeros(4)}


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("nothing may be downloaded here")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


@pytest.mark.usefixtures("no_network")
def test_nothing_is_downloaded_by_default():
    torch.manual_seed(0)
    network = PSPNet(width=0.125, blocks=SMALL)
    torch.manual_seed(0)
    encoder = resnet34(0.125, SMALL)
    assert torch.equal(network.encoder.conv1.weight, encoder.conv1.weight)


@pytest.mark.parametrize(("network", "architecture"), [(PSPNet, "resnet34"), (UNet, "vgg16")])
def test_imagenet_asks_for_the_published_file_and_its_hash(monkeypatch, network, architecture):
    asked = []

    def answer(url, **options):
        asked.append((url, options["check_hash"], options["weights_only"]))
        return published(network(width=0.125).encoder)

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", answer)
    loaded = network(width=0.125, pretrained="imagenet")
    assert asked == [(URLS[architecture], True, True)]
    assert all(bool((p == 3).all()) for p in loaded.encoder.parameters())
    assert not bool((loaded.head.weight == 3).any())


def test_published_names():
    assert {url.rpartition("/")[2] for url in URLS.values()} == {
        "resnet34-b627a593.pth",
        "resnet101-63fe2227.pth",
        "vgg16-397923af.pth",
    }


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("too slow"), RuntimeError("invalid hash value")])
def test_offline_names_the_url_and_the_place_of_the_file(monkeypatch, tmp_path, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(ValueError) as caught:
        load_pretrained(resnet34(0.125, SMALL), "imagenet", "resnet34")
    for part in (URLS["resnet34"], str(tmp_path / "checkpoints" / "resnet34-b627a593.pth"), "pretrained=<file>"):
        assert part in str(caught.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_is_read(tmp_path, wrapped):
    encoder = resnet34(0.125, SMALL)
    weights = published(encoder)
    torch.save({"state_dict": weights} if wrapped else weights, tmp_path / "weights.pth")
    load_pretrained(encoder, str(tmp_path / "weights.pth"), "resnet34")
    assert all(bool((p == 3).all()) for p in encoder.parameters())


def test_files_older_than_the_counters_of_batch_normalisation(tmp_path):
    encoder = resnet34(0.125, SMALL)
    weights = {name: tensor for name, tensor in published(encoder).items() if "num_batches" not in name}
    torch.save(weights, tmp_path / "weights.pth")
    load_pretrained(encoder, str(tmp_path / "weights.pth"), "resnet34")
    assert encoder.bn1.running_mean.tolist() == [3] * 8


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path):
    encoder = resnet34(0.125, SMALL)
    weights = published(encoder)
    weights["stranger"] = weights.pop("layer2.0.bn1.bias")
    weights["conv1.weight"] = torch.zeros(64, 3, 7, 7)
    torch.save(weights, tmp_path / "weights.pth")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    with pytest.raises(ValueError) as caught:
        load_pretrained(encoder, str(tmp_path / "weights.pth"), "resnet34")
    for part in (
        "missing (1): layer2.0.bn1.bias",
        "unexpected (1): stranger",
        "conv1.weight: (8, 3, 7, 7), got (64, 3, 7, 7)",
        "width=1",
    ):
        assert part in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"weights": resnet34(0.125, SMALL)}, tmp_path / "module.pth")
    with pytest.raises(ValueError, match=r"module\.pth"):
        load_pretrained(resnet34(0.125, SMALL), str(tmp_path / "module.pth"), "resnet34")


def test_other_errors_name_the_way_out(tmp_path):
    encoder = resnet34(0.125, SMALL)
    with pytest.raises(ValueError, match="no file"):
        load_pretrained(encoder, str(tmp_path / "nowhere.pth"), "resnet34")
    with pytest.raises(ValueError, match="only for resnet34, resnet101, vgg16"):
        load_pretrained(encoder, "imagenet", "hrnet_w48")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="state dict"):
        load_pretrained(encoder, str(tmp_path / "list.pth"), "resnet34")
