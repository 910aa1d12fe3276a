"""``teachable push``: an exported folder to the Hugging Face hub."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_push_parser(commands: Subparsers) -> None:
    """Register ``push``; it is ``arguments.run(arguments) -> int``."""
    parser = commands.add_parser(
        "push",
        help="upload an exported folder to the Hugging Face hub",
        description="Upload a folder that `teachable export` wrote, in one commit. A new repository is private. The "
        "token is HF_TOKEN, or that of `hf auth login`. docs/export.md.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="as `teachable export` wrote it")
    parser.add_argument("repository", metavar="OWNER/NAME", help="on the hub; made where there is none")
    parser.add_argument("--dry-run", action="store_true", help="list what would go there; ask nobody, send nothing")
    parser.add_argument("--type", choices=("model", "dataset"), help="default: model for an adapter, else dataset")
    parser.add_argument("--public", action="store_true", help="a new repository is open to everybody")
    parser.add_argument("--revision", metavar="BRANCH", help="default: main")
    parser.add_argument("--message", default="Upload by teachable push", help="of the commit (default: %(default)s)")
    parser.set_defaults(run=_push)


def _push(arguments: argparse.Namespace) -> int:
    """Raises ExportError for what cannot be uploaded, and for what the hub refuses."""
    from teachable.export.hub import checked, folder, push

    found = folder(arguments.folder, arguments.type)
    repository = checked(arguments.repository)
    sight = "public" if arguments.public else "private"
    said = f"{len(found.files)} files, {found.size:,} bytes, to the {found.kind} {repository}"
    if arguments.dry_run:
        for name, size in found.files:
            print(f"{size:14,} {name}")
        print(f"push: would send {said} (where it is new: {sight}); nothing was sent", file=sys.stderr)
        return 0
    address = push(found, repository, public=arguments.public, message=arguments.message, revision=arguments.revision)
    print(f"push: sent {said}", file=sys.stderr)
    print(address)
    return 0
