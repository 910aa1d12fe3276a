"""The settings of the executor, and those of another one that a profile or a command line gives in vain.

Without ``from __future__ import annotations``: Snakemake reads the types of the settings from the class as objects.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_executor_plugin_slurm import ExecutorSettings as SlurmSettings


@dataclass
class ExecutorSettings(SlurmSettings):
    """The settings of the SLURM executor, under the prefix ``teachable-``, and those of the lookup."""

    stages: Optional[str] = field(  # noqa: UP045 (Snakemake's registry knows this spelling only)
        default="teachable.stages:STAGES",
        metadata={
            "help": "Where the table of stages is, as module:attribute.",
            "env_var": False,
            "required": False,
        },
    )
    max_seconds_between_status_checks: int = field(
        default=180,
        metadata={
            "help": "Longest pause between two looks at the queue. The pause grows by 10 s with every look that finds "
            "nothing new.",
            "env_var": False,
            "required": False,
        },
    )


def misplaced_keys(argv: Sequence[str]) -> list[str]:
    """The ``--slurm-*`` options that ``argv`` and the profiles it names give, sorted.

    Snakemake's own parser reads them, so that profiles, short forms and environment variables count. Empty
    when the run was not started by Snakemake's command line.
    """
    if not argv or Path(argv[0]).name not in ("snakemake", "__main__.py"):
        return []
    from snakemake import cli

    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            parser, arguments = cli.parse_args(list(argv[1:]))
    except (Exception, SystemExit):  # what it cannot read, Snakemake has read already, or will say itself
        return []
    given = []
    for action in parser._actions:
        name = next((option for option in action.option_strings if option.startswith("--slurm-")), "")
        if not name or name.startswith("--slurm-jobstep-"):
            continue
        if getattr(arguments, action.dest, None) != parser.get_default(action.dest):
            given.append(name)
    return sorted(given)
