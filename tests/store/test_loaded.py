"""A result made with code or data that its key does not know is told, and not shared."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PACKAGE = {
    "__init__.py": "",
    "table.py": """
        from pydantic import BaseModel
        from teachable.artifacts.catalogue import Artifact
        from teachable.artifacts.stage import Stage

        class Nothing(BaseModel):
            pass

        STAGES = {"write": Stage("write", "hidden.write", "", (), {"text": Artifact("text", "write")}, lambda: Nothing)}
    """,
    "known.py": "word = 'known'\n",
    "secret.py": "word = 'secret'\n",
    "words.list": "from a file\n",
}
PROGRAM = """
import sys
from teachable.artifacts.commandline import parse_all
from teachable.artifacts.runner import run_all
from hidden.table import STAGES
run_all(parse_all(sys.argv[1:]), STAGES)
"""


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        ("from hidden.known import word", ""),
        ("word = (Path(__file__).parent / 'words.list').read_text()", ""),
        ("word = getattr(__import__('hidden.' + 'terces'[::-1], fromlist=['x']), 'word')", ""),
        ("import sys; exec('from hidden.sec' + 'ret import word'); word = sys.modules['hidden.secret'].word",
         "hidden.secret"),
        ("word = (Path(__file__).parent / ''.join(['words', '.', 'li', 'st'])).read_text()", "hidden/words.list"),
    ],
)  # fmt: skip
def test_what_no_key_knows_is_told_and_not_published(tmp_path: Path, body: str, unknown: str) -> None:
    package = tmp_path / "hidden"
    package.mkdir()
    for name, text in PACKAGE.items():
        (package / name).write_text(textwrap.dedent(text))
    stage = f"from pathlib import Path\ndef run(out):\n    {body}\n    out['text'].write_text(word)\n"
    (package / "write.py").write_text(stage)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "write", "--out", "text=out.txt", "--params", "{}"],
        cwd=tmp_path,
        # Python keeps its bytecode, as everywhere but in some containers: what it writes is not the stage's.
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "TEACHABLE_STORE": str(tmp_path / "store"),
            "PYTHONDONTWRITEBYTECODE": "",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "out.txt").read_text()  # the result is there all the same
    published = list((tmp_path / "store" / "records").rglob("*.json"))
    if unknown:
        assert f"not shared through the store: {unknown}." in done.stderr
        assert not published
    else:
        assert "not shared" not in done.stderr
        assert len(published) == 1
