"""Exported folders to the Hugging Face hub: what would go there, and sending it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from teachable.export.found import ExportError

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

Kind = Literal["model", "dataset"]
CARD, ADAPTER = "README.md", "adapter_config.json"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_SHOWN = 300  # characters of a server's words


@dataclass(frozen=True, slots=True)
class Folder:
    """An exported folder as the hub would have it: ``files`` by their path in the repository, with their bytes."""

    root: Path
    kind: Kind
    files: Sequence[tuple[str, int]]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.files)


def folder(root: Path, kind: Kind | None = None) -> Folder:
    """What of ``root`` would be uploaded: every file. Without ``kind`` an adapter is a model, all else a dataset.

    Raises ExportError where ``root`` is no folder, has no card as `teachable export` writes it, or holds a link or a
    hidden file: neither is what it wrote, and the one may lead, the other be, where no secret should go.
    """
    card = root / CARD
    if not root.is_dir():
        raise ExportError(f"{root} is no folder: name one that `teachable export` wrote.")
    if not card.is_file() or not _has_front_matter(card):
        raise ExportError(f"{root} has no {CARD} with front matter: name a folder that `teachable export` wrote.")
    files = []
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            inside = path.relative_to(root).as_posix()
            if path.is_symlink() or name.startswith("."):
                what = "a link" if path.is_symlink() else "a hidden file"
                raise ExportError(f"{root}: {inside} is {what}, which no export has: take it away, or export again.")
            if path.is_file():
                files.append((inside, path.stat().st_size))
    return Folder(root, kind or ("model" if (root / ADAPTER).is_file() else "dataset"), sorted(files))


def _has_front_matter(card: Path) -> bool:
    parts = card.read_text("utf-8", "replace").split("---\n", 2)
    try:
        return len(parts) == 3 and not parts[0] and isinstance(yaml.safe_load(parts[1]), dict)
    except yaml.YAMLError:
        return False


def checked(repository: str) -> str:
    """The name of a repository on the hub, ``owner/name``. Raises ExportError for any other."""
    if not _NAME.fullmatch(repository):
        raise ExportError(f"{repository!r} is no repository of the hub: it is OWNER/NAME, e.g. me/teachable-q1-demo.")
    return repository


def push(found: Folder, repository: str, *, public: bool, message: str, revision: str | None = None) -> str:
    """Make the repository where there is none (private unless ``public``) and put all files there in one commit;
    returns the commit's address. A repository that is there keeps its visibility and its other files.

    The token is HF_TOKEN, or what `hf auth login` keeps. Raises ExportError without one, and for whatever the hub or
    the way to it refuses, in a sentence without the token.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    token = get_token()
    if not token:
        raise ExportError("there is no token for the hub: set HF_TOKEN, or log in with `hf auth login`.")
    disable_progress_bars()
    api = HfApi(token=token)
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=found.root / name) for name, _ in found.files]
    try:
        return _commit(api, found, checked(repository), operations, public, message, revision)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        said = error.server_message or str(error)
        raise ExportError(
            f"{constants.ENDPOINT} refuses {repository} (HTTP {status}): {_plain(said, token)}. See whether the token "
            "may write there."
        ) from None
    except Exception as error:
        # by name: the hub's client has httpx or its successor
        if not isinstance(error, OSError) and "TransportError" not in {base.__name__ for base in type(error).__mro__}:
            raise
        raise ExportError(f"{constants.ENDPOINT} cannot be reached: {_plain(str(error), token)}.") from None


def _commit(
    api: HfApi,
    found: Folder,
    repository: str,
    operations: Sequence[CommitOperationAdd],
    public: bool,
    message: str,
    revision: str | None,
) -> str:
    api.create_repo(repository, repo_type=found.kind, private=not public, exist_ok=True)
    made = api.create_commit(repository, operations, commit_message=message, repo_type=found.kind, revision=revision)
    return str(made.commit_url)


def _plain(text: str, token: str) -> str:
    """One line of what a server or library said, without the token."""
    return " ".join(text.replace(token, "***").split())[:_SHOWN].rstrip(".")
