"""Shared fixtures; slow tests run with --slow."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="csbsr-tests-")  # what was seen in files is remembered there


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Folder with crackforest/, masonry/ and photos/: real photographs that are not part of the project."""
    root = os.environ.get("CSBSR_TEST_DATA")
    if not root:
        pytest.skip("CSBSR_TEST_DATA is not set: no real photographs")
    return Path(root)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium; its tests are marked `tests.report.browser.NEEDS_BROWSER`."""
    from tests.report.browser import Browser

    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session", autouse=True)
def _freed_memory_goes_back():
    """Commands called in this process would have it keep all that its tests ever took; others measure its memory."""
    from csbsr.cli import config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "keep_freed_memory", lambda: False)
        yield
