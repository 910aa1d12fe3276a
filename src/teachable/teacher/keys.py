"""The API key: where it is read from, and how it stays out of everything that is written or shown."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

from teachable.teacher.errors import TeacherError

_LONG = 16  # characters from which on a key cannot be a word of an answer
_SHORT = 8  # and from which on it cannot be one where it has digits or signs, too
_WORD = 3  # and from which on blanking it in a server's complaint leaves that readable
_KEY_LIKE = re.compile(r"\bsk-[\w*.-]{16,}")
_BEHIND = r"(?i)((?:\bbearer|\bauthorization|\bapi[ _-]?key(?: provided)?)[\"']?(?:\s*[:=]\s*|\s+)[\"']?(?:bearer\s+)?)"


def read_key(variable: str, endpoint: str) -> str:
    """The key in the environment variable ``variable``, else in the file `.env` of the working directory.

    ``""`` where ``variable`` is empty. Raises :class:`TeacherError` when there is none, or when what is there is
    no key.
    """
    if not variable:
        return ""
    secret = os.environ.get(variable, "").strip() or _from_file(Path(".env"), variable)
    if not secret:
        raise TeacherError(
            f"teacher: the environment variable {variable} is not set, and no file .env here sets it; it must hold the "
            f'API key for {endpoint}. (`teacher.api_key_env: ""` for a server without keys.)'
        )
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise TeacherError(
            f"teacher: {variable} does not hold an API key: it has blanks, control or non-ASCII characters."
        )
    return secret


def _from_file(path: Path, variable: str) -> str:
    """The value of ``NAME=value``, `export` and quotes allowed; the last line that sets it counts."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise TeacherError(f"teacher: {variable} is not set and {path.name} cannot be read: {error}.") from None
    found = ""
    for line in lines:
        match = re.fullmatch(rf"\s*(?:export\s+)?{re.escape(variable)}\s*=\s*(.*?)\s*", line)
        if match:
            value = match[1]
            quoted = re.match(r"""(["'])(.*?)\1\s*(?:#.*)?$""", value)
            found = quoted[2] if quoted else re.split(r"\s#", value)[0]
    return found.strip()


def scrub(text: str, secret: str, *, answer: bool = False) -> str:
    """``text`` without the key, in case a server echoes it.

    A short word for a key (`x`, `none`: usual for servers of one's own) is a word of other texts, too. Of an ``answer``
    it is blanked only where a key stands: behind `Bearer`, `Authorization` and `API key`; elsewhere as a whole word.
    """
    if secret:
        escaped = json.dumps(secret)[1:-1]
        for form in sorted({secret, escaped, escaped.replace("/", "\\/"), quote(secret, safe="")}, key=len)[::-1]:
            pattern = re.escape(form)
            if len(secret) >= _LONG or (len(secret) >= _SHORT and not secret.isalpha()):
                text = re.sub(pattern, "***", text)
            elif answer or len(secret) < _WORD:
                text = re.sub(rf"{_BEHIND}{pattern}(?!\w)", r"\1***", text)
            else:
                text = re.sub(rf"(?<!\w){pattern}(?!\w)", "***", text)
    return _KEY_LIKE.sub("***", text)


def scrub_json(text: str, secret: str) -> str:
    """A JSON document without the key in any of its strings, whether spelled plainly or with escapes."""

    def clean(match: re.Match[str]) -> str:
        value = json.loads(match[0])
        scrubbed = scrub(value, secret, answer=True)
        return match[0] if scrubbed == value else json.dumps(scrubbed)

    if secret:
        own = re.escape(json.dumps(secret))
        text = re.sub(rf'("(?:api_?key|authorization)"\s*:\s*){own}', r'\1"***"', text, flags=re.IGNORECASE)
    return re.sub(r'"(?:[^"\\]|\\.)*"', clean, text)
