"""What a test does where a tool that it wants is missing."""

from __future__ import annotations

import pytest
from needed import lacking


@pytest.mark.parametrize(("value", "ends"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_tool_is_a_skip_here_and_a_failure_where_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, value: str, ends: type[BaseException]
) -> None:
    monkeypatch.setenv("TEACHABLE_CI_TOOLS", value)
    with pytest.raises(ends, match="no hammer here"):
        lacking("There is no hammer here: apt-get install hammer.")
