"""CrackFormer: the golden system, the attention written out, side outputs by hand."""

import math

import pytest
import torch
from torch import nn

from csbsr.segmentor import CrackFormer
from csbsr.segmentor.crackformer_attention import AttentionBlock, ContextAttention, TransformerBlock
from csbsr.weights import load_reference
from csbsr.weights.crackformer import PART
from tests import golden
from tests.segmentor.contract import SegmentorContract


class TestCrackFormerContract(SegmentorContract):
    auxiliaries = 5
    # Queries times values amplify rounding from block to block: up to 0.2 even if only the sides run in bfloat16.
    reduced_precision = 0.4

    def make(self):
        return CrackFormer(width=0.125)


def test_golden_with_released_weights():
    """The whole system: rounding the SR image to float32, as it is stored, would already change 3e-5 here."""
    expected = golden.load("csbsr_crackformer")
    network = load_reference(golden.state_dict("csbsr_crackformer"))
    assert isinstance(network.segmentor, CrackFormer)
    with torch.no_grad():
        segmentation = network(golden.network_input(int(expected["seed"]))).segmentation
    torch.testing.assert_close(segmentation, torch.from_numpy(expected["segmentation"]).double(), rtol=0, atol=1e-6)


def test_only_weights_that_are_never_applied_are_unused():
    prefix = "segmentation_model."
    names = [name.removeprefix(prefix) for name in golden.keys("csbsr_crackformer") if name.startswith(prefix)]
    never_applied = {n for n in names if ".conv.bn2." in n or n.startswith(("down3.nn3.", "down4.nn3.", "down5.nn3."))}
    assert {name for name in names if PART.rename(name) is None} == never_applied


def test_attention_written_out():
    """Queries, keys, values, softmax and the 7×7 context, each output value by its own sum."""
    torch.manual_seed(0)
    attention = ContextAttention(32).double()
    for module in attention.modules():
        if isinstance(module, nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    height, width, values_per_head = 5, 6, 8
    x = torch.randn(2, 32, height, width, dtype=torch.float64)
    with torch.no_grad():
        ours = attention(x)
        queries, keys, values = attention.queries(x), attention.keys(x), attention.values(x)
        assert queries.shape[1:] == (64, height, width)
        assert keys.shape[1:] == (16, height, width)
        assert values.shape[1:] == (values_per_head, height, width)
        weights = keys.exp() / keys.exp().sum((2, 3), keepdim=True)
        padded = nn.functional.pad(values, (3, 3, 3, 3))
        for head, v, row, column in ((0, 0, 0, 0), (0, 5, 4, 2), (1, 3, 2, 5), (2, 7, 3, 3), (3, 0, 4, 5)):
            expected = torch.zeros(2, dtype=torch.float64)
            for k in range(16):
                content = (weights[:, k] * values[:, v]).sum((1, 2))
                window = padded[:, v, row : row + 7, column : column + 7]
                context = (window * attention.embedding[k, 0, 0]).sum((1, 2))
                expected += queries[:, 16 * head + k, row, column] * (content + context)
            torch.testing.assert_close(ours[:, values_per_head * head + v, row, column], expected)


def test_group_norms_have_groups_of_four():
    norms = [m for m in CrackFormer(width=0.25).modules() if isinstance(m, nn.GroupNorm)]
    assert {norm.num_channels // norm.num_groups for norm in norms} == {4}
    assert {norm.num_channels for norm in norms} >= {4, 8, 16, 32, 64, 128}


@pytest.mark.parametrize(("inputs", "outputs", "hidden"), [(64, 64, 16), (256, 512, 128), (24, 24, 16), (96, 48, 32)])
def test_hidden_width_is_a_quarter_in_whole_groups(inputs, outputs, hidden):
    block = TransformerBlock(inputs, outputs, 0.0)
    assert block.reduce[0].out_channels == hidden
    assert isinstance(block.shortcut, nn.Identity) == (inputs == outputs)
    assert block(torch.randn(1, inputs, 3, 4)).shape == (1, outputs, 3, 4)


def test_attention_block_adds_both_parts_to_its_input():
    block = AttentionBlock(16, dropout=0.0)
    nn.init.zeros_(block.attention.values[1].weight)
    nn.init.zeros_(block.attention.values[1].bias)
    nn.init.zeros_(block.perceptron[7].weight)
    nn.init.constant_(block.perceptron[7].bias, 2.0)
    x = torch.randn(1, 16, 4, 4)
    torch.testing.assert_close(block(x), x + 2)


def test_side_outputs_come_deepest_first_and_are_merged_before_the_sigmoid():
    network = CrackFormer(width=0.125).train()
    for level, side in enumerate(network.sides, start=1):
        nn.init.zeros_(side.predict.weight)
        nn.init.constant_(side.predict.bias, float(level))
    network.merge.weight.data[0, :, 0, 0] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    nn.init.constant_(network.merge.bias, -3.0)
    segmentation, auxiliaries = network(torch.randn(1, 3, 32, 32))
    for level, auxiliary in zip((5, 4, 3, 2, 1), auxiliaries, strict=True):
        torch.testing.assert_close(auxiliary, torch.full((1, 1, 32, 32), 1 / (1 + math.exp(-level))))
    merged = 0.1 * 5 + 0.2 * 4 + 0.3 * 3 + 0.4 * 2 + 0.5 * 1 - 3
    torch.testing.assert_close(segmentation, torch.full((1, 1, 32, 32), 1 / (1 + math.exp(-merged))))


def test_dropout_is_read():
    image = torch.randn(1, 3, 32, 32)
    for probability, varies in ((0.0, False), (0.5, True)):
        torch.manual_seed(0)
        network = CrackFormer(width=0.125, dropout=probability).train()
        assert torch.equal(network(image).segmentation, network(image).segmentation) is not varies


def test_one_image_trains():
    segmentation, auxiliaries = CrackFormer(width=0.125).train()(torch.randn(1, 3, 32, 32))
    (segmentation.mean() + sum(a.mean() for a in auxiliaries)).backward()


def test_width_is_read():
    assert [side.mask[1].in_channels for side in CrackFormer(width=0.125).sides] == [8, 16, 32, 64, 64]
    assert [side.mask[1].in_channels for side in CrackFormer(width=0.5).sides] == [32, 64, 128, 256, 256]
