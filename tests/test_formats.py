"""A format's file: what it lacks is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from teachable import formats
from teachable.errors import ConfigError

WHOLE = (Path(formats.__file__).parent / "hint.toml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WHOLE.replace("marker", "symbol"), "symbol"),
        (WHOLE.replace("order = 3\n", ""), "order"),
        (WHOLE.replace("full =", "fuller ="), "needs compact and full"),
        (WHOLE + "\n[untried]\nbrief = []\n", "may have either"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        formats._read(file)
    assert "odd.toml" in str(raised.value)


def test_formats_stand_in_their_order() -> None:
    assert list(formats.FORMATS) == ["demo", "contrast", "hint"]
    assert not formats.FORMATS["hint"].names_action
    full = formats.FORMATS["contrast"].worded("full", tried=False)
    assert "The command tried first was" not in full, "nobody tried it"
