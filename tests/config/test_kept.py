from __future__ import annotations

from pathlib import Path

import pytest

from teachable.config.kept import keep_preset, kept_preset
from teachable.errors import ConfigError


def test_a_directory_keeps_the_preset_that_came_first(tmp_path: Path) -> None:
    path = tmp_path / "results" / "preset"
    assert kept_preset(path) is None
    keep_preset(path, "smoke")
    keep_preset(path, "smoke")
    assert kept_preset(path) == "smoke"
    with pytest.raises(ConfigError, match=r"results/preset.*'smoke'.*'laptop'.*--directory"):
        keep_preset(path, "laptop")
    assert [file.name for file in path.parent.iterdir()] == ["preset"]
    assert kept_preset(path) == "smoke"


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "preset"
    path.write_text("\n")
    assert kept_preset(path) is None
    keep_preset(path, "pilot")
    assert kept_preset(path) == "pilot"
