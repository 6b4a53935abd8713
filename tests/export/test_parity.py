"""Every system, exported, gives torch's numbers at sizes that its graph was not made with."""

import json
from functools import cache

import pytest

from csbsr.cli.config import config_folder
from csbsr.export import proof
from csbsr.export.graph import dynamic_batch, onnx_graph
from csbsr.joint.stages import Upscale, stages_of
from csbsr.weights.exported import TOLERANCE
from csbsr.weights.sessions import onnx_runners, openvino_runners
from tests.export.systems import SERIAL, SYSTEMS, spec_of, system

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

#: Systems whose graphs take minutes to be made.
LONG = {"csbsr_crackformer"}
QUICK = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in SYSTEMS]


@cache
def graph(part, name):
    """A function's graph; systems that share a part share it."""
    network = system(name)
    stages = [stage for stage in stages_of(network) if type(stage).__name__ == part[0]]
    return stages, onnx_graph(stages, 2 if dynamic_batch(network) else None), dynamic_batch(network)


def parts(name):
    """The functions of a system: their kind and a description that equal ones share, with a system that has it."""
    network, spec = system(name), spec_of(name)
    several = dynamic_batch(network)
    for stage in stages_of(network):
        own = spec.get("sr" if isinstance(stage, Upscale) else "segmentor", spec)
        yield (type(stage).__name__, json.dumps(own, sort_keys=True), several)


FIRST = {}
for each in SYSTEMS:
    for key in parts(each):
        FIRST.setdefault(key, each)


def test_every_experiment_is_among_them():
    experiments = {path.stem for path in (config_folder() / "experiment").glob("*.yaml")}
    assert experiments == set(SYSTEMS) - {"dsrl_x4", "lite"}


@pytest.mark.parametrize("name", QUICK)
def test_onnxruntime_agrees(name):
    for part in parts(name):
        stages, made, several = graph(part, FIRST[part])
        found = proof.differences(stages, onnx_runners(made, [(s.inputs, s.outputs) for s in stages]), several)
        proof.check(found)
        assert {one.output for one in found} == {output for stage in stages for output in stage.outputs}
        for stage in stages:  # no constant: a difference could be seen
            for value in stage(*proof.inputs_of(stage, proof.SIZES[0]).values()):
                assert float(value.detach().std()) > 30 * TOLERANCE, (name, stage.outputs)


@pytest.mark.parametrize("name", ["csbsr_pspnet", "cssr_pspnet", "csbsr_unet", "lite"])
def test_openvino_agrees(name):
    openvino = pytest.importorskip("openvino")
    for part in parts(name):
        stages, made, several = graph(part, FIRST[part])
        model = openvino.Core().read_model(made.SerializeToString())
        proof.check(
            proof.differences(stages, openvino_runners(model, [(s.inputs, s.outputs) for s in stages]), several)
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_full_size_agrees(name):
    network = system(name, full=True)
    stages = stages_of(network)
    several = dynamic_batch(network)
    made = onnx_graph(stages, 2 if several else None)
    found = proof.differences(stages, onnx_runners(made, [(s.inputs, s.outputs) for s in stages]), several)
    print(name, {one.output: f"{one.value:.1e}" for one in found})
    proof.check(found)


def test_a_system_has_a_kernel_or_takes_several_images():
    assert {name for name in SERIAL if not dynamic_batch(system(name))} == {
        name for name, (sr, _) in SERIAL.items() if sr == "kbpn"
    }
