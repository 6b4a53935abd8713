"""``csbsr-eval``: evaluate a checkpoint, or the authors' released weights."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.table import Table

from csbsr.build import build
from csbsr.cli import build as make
from csbsr.cli.command import now, plain, reports_errors, require, run_folder
from csbsr.cli.config import literal_paths, run, show_version, unquoted, value_of
from csbsr.cli.folders import claims
from csbsr.cli.replay import check_sizes
from csbsr.data.crack_data import found
from csbsr.data.datamodule import CrackDataModule
from csbsr.joint import describe
from csbsr.measure import comparison
from csbsr.pages.panel import panel
from csbsr.plain import kind_of
from csbsr.report.files import write_evaluation
from csbsr.report.page import PICTURES, number
from csbsr.report.pictures import ImagePictures
from csbsr.report.robustness import by_settings
from csbsr.report.runcard import run_card
from csbsr.training.callbacks import Progress, row_of
from csbsr.training.loggers import log_final
from csbsr.training.module import CrackModule
from csbsr.training.widths import WidthErrors
from csbsr.weights import load
from csbsr.weights.stored import stored_settings
from csbsr.words import printable

log = logging.getLogger("csbsr")
PUBLISHED = "degradation.padding=zeros"  # weights that come without a configuration are the authors'


def main() -> None:
    """Entry point of ``csbsr-eval``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    with claims():
        run(evaluate, "eval", allow_single_settings(literal_paths(arguments)))


def allow_single_settings(arguments: list[str]) -> list[str]:
    """Let ``data.root=…`` stand alone: without ``data=…`` it changes the data of the checkpoint."""
    words = []
    for word in arguments:
        key = word.partition("=")[0]
        group = key.partition(".")[0]
        alone = "." in key and group in ("data", "degradation") and value_of(arguments, group) is None
        words.append(f"++{word}" if alone and not key.startswith("+") else word)
    return words


@reports_errors
def evaluate(config: DictConfig) -> None:
    """Rebuild the network, run it over the test images, write the results."""
    require(config, {"ckpt": "a checkpoint of csbsr-train or released weights"}, "csbsr-eval ckpt=<path>")
    network = load(config.ckpt, scale=config.scale, trusted=tuple(config.trusted))
    trained = network.card
    merged = with_data_of(config, trained, network.scale)
    data = make.build_data(merged)
    folder = run_folder()
    metrics = build({**plain(config.metrics), "threshold": trained.get("recommended_threshold")})
    module = CrackModule(network, metrics=metrics, seed=config.seed)
    log.info("system   %s", describe(network))
    log.info("weights  %s", config.ckpt)
    data.setup("test")
    log.info("data     %d test images", len(found(data.test)))
    for key in ("root", "surfaces", "surfaces_list"):
        if merged.data.get(key):  # it may come from the checkpoint
            log.info("%-8s %s", key, printable(merged.data[key]))
    card = describe_run(config, merged, data, trained)
    loggers = make.instances(config.get("logger"))
    images = ImageFiles(folder, config.panels)
    widths = WidthErrors(trained.get("recommended_threshold"), config.max_branches)
    trainer = make.build_trainer(config, [Progress(), images, widths], loggers)
    for logger in loggers:
        logger.log_hyperparams(card)
    trainer.test(module, datamodule=data, verbose=False)
    if trainer.is_global_zero:
        values, definitions, rows = metrics.compute(), metrics.definitions(), metrics.rows()
        if widths.found:
            values, definitions = (
                values | comparison.summary(widths.found.values()),
                definitions | comparison.DEFINITIONS,
            )
            rows = comparison.rows_with(rows, widths.found)
        if noise := [name for name, one in widths.found.items() if one is None]:
            log.info(
                "note     %d of %d images are too noisy to be measured (%s%s); max_branches=null measures them",
                len(noise), len(widths.found), printable(noise[0]), ", ..." if len(noise) > 1 else "",
            )  # fmt: skip
        threshold = trained.get("recommended_threshold")
        robust = by_settings(plain(config.get("robustness")), network, data.test, config.seed, threshold)
        write_evaluation(folder, values, definitions, rows, metrics.curves(), card, robust)
        table = [[key, number(key, value), definitions[key]] for key, value in values.items()]
        show(table)
        log_final(loggers, "test", table, images.first)
        log.info("report   %s", folder / "report.html")
        log.info("output   %s", folder)


def describe_run(
    config: DictConfig, merged: DictConfig, data: CrackDataModule, trained: dict[str, Any]
) -> dict[str, Any]:
    """The run card of this evaluation; ``trained`` is what the checkpoint tells of itself."""
    chosen = HydraConfig.get().runtime.choices
    names = {key: chosen.get(key) or trained.get("choices", {}).get(key) for key in ("data", "degradation")}
    settings = {str(key): plain(value) for key, value in config.items() if key not in names}
    settings |= {key: plain(merged[key]) for key in names}
    return run_card(
        "csbsr-eval",
        unquoted(HydraConfig.get().overrides.task),
        config.seed,
        settings,
        {"name": names["data"] or "synthetic", "degradation": names["degradation"] or "anisotropic",
         "images": len(found(data.test)), "fingerprint": data.fingerprint()["test"]},
        config.ckpt,
        trained["network"],
        {key: value for key, value in trained.items() if key not in ("network", "config")},
        scale=merged.scale,
        recommended_threshold=trained.get("recommended_threshold"),
        date=now(),
    )  # fmt: skip


def with_data_of(config: DictConfig, card: dict[str, Any], scale: int) -> DictConfig:
    """The checkpoint's configuration with what was asked for here in place of its data and degradation."""
    if "config" in card:
        stored = OmegaConf.create(settings_of(config, card["config"]))
    else:
        stored = compose("train", overrides=[f"scale={scale}", PUBLISHED])
    OmegaConf.set_struct(stored, False)
    for key in ("data", "degradation"):
        asked = config.get(key)
        if asked is None:
            continue
        if "_target_" in asked:
            stored[key] = asked
        elif key == "data" and "root" in asked and "root" not in stored[key]:
            raise ValueError(
                "data.root: the test data of this checkpoint are generated and have no folder; say what lies there: "
                f"data=folder data.root={asked.root}"
            )
        else:
            stored[key] = OmegaConf.merge(stored[key], asked)
    with open_dict(stored):
        stored.scale = scale
        stored.seed = config.seed  # of the test's blur: the same for every checkpoint, whatever it was trained with
    return stored


def settings_of(config: DictConfig, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration in a checkpoint says of the data, less what is said here, checked."""
    name = f"ckpt: {printable(config.ckpt)}"
    settings, used = dict(stored), []
    for key in ("data", "degradation"):
        asked, known = config.get(key) or {}, settings.get(key)
        if "_target_" in asked:
            settings.pop(key, None)
            continue
        if not isinstance(known, Mapping):
            raise ValueError(f"{name}: config.{key}: expected a mapping, got {kind_of(known)}; choose {key}=<option>")
        settings[key] = {entry: value for entry, value in known.items() if entry not in asked}
        used.append(key)
    settings = stored_settings(settings, tuple(used), name)
    check_sizes(settings, used, name)
    return settings


class ImageFiles(Callback):
    """Writes the pictures of each test image, and keeps the first images for the loggers.

    Args:
        folder: where ``pictures/<name>/`` (for the report) and ``panels/<name>.png`` go, with the name's own folders.
        panels: at most so many panels; None writes all.
        kept: how many rows `first` holds.
    """

    def __init__(self, folder: Path, panels: int | None = None, kept: int = 4) -> None:
        self.folder, self.panels, self.kept = folder, panels, kept
        self.first: list[dict[str, Any]] = []
        self._written = 0

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        """Write the images of this step."""
        for output, part in zip(outputs, batch, strict=True):
            for i, name in enumerate(part["name"]):
                row = row_of(output, part, i)
                ImagePictures(self.folder / PICTURES, name).save(row)
                if len(self.first) < self.kept:
                    self.first.append(row)
                if self.panels is None or self._written < self.panels:
                    path = (self.folder / "panels" / name).with_suffix(".png")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    panel([row], tile=320).save(path)
                    self._written += 1


def show(lines: list[list[str]]) -> None:
    """The table on the terminal."""
    table = Table("metric", "value", "definition")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
