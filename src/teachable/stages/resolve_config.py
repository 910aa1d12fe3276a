"""Write the resolved configuration, so that a result can always say what it was made with: not how the jobs worked."""

from __future__ import annotations

from typing import Any

ABOUT = {
    "about": "write the resolved configuration",
    "outputs": {"config": ("config.json", "RECORDED_CONFIG")},
    "own": {"config": "dict"},
}


def run(config: dict[str, Any]) -> dict[str, Any]:
    return config
