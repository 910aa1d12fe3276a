"""``teachable completion SHELL``: words that a shell offers for a command line, printed once and read by the shell."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

SHELLS = ("bash", "zsh", "fish")
_STAGE = ("--in", "--out", "--params", "--operational", "--log", "--threads", "--then", "--help")


def add_completion_parser(commands: Subparsers) -> None:
    """Register ``completion``; it is ``arguments.run(arguments) -> int``."""
    parser = commands.add_parser(
        "completion",
        help='what a shell completes: eval "$(teachable completion bash)"',
        description='Print the completion of `teachable` for a shell: bash and zsh: `eval "$(teachable completion '
        'bash)"`; fish: `teachable completion fish | source`. It is of this version: stages, commands, their options.',
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=lambda arguments: _completion(arguments, commands.choices))


def _completion(arguments: argparse.Namespace, commands: Mapping[str, argparse.ArgumentParser]) -> int:
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell](_words(commands)), end="")
    return 0


def _words(commands: Mapping[str, argparse.ArgumentParser]) -> dict[str, list[str]]:
    """By command, and by stage: the words that may follow; further commands, choices and options."""
    from teachable.export import KINDS
    from teachable.stages import STAGES

    found = {name: _of(parser) for name, parser in commands.items()}
    found["export"] += list(KINDS)
    return found | {name: list(_STAGE) for name in STAGES}


def _of(parser: argparse.ArgumentParser) -> list[str]:
    found = []
    for action in parser._actions:
        found += [option for option in action.option_strings if option.startswith("--")]
        if not action.option_strings and action.choices is not None:
            found += map(str, action.choices)
    return found


def _quoted(words: Sequence[str]) -> str:
    return " ".join(map(shlex.quote, words))


def _bash(words: Mapping[str, Sequence[str]]) -> str:
    cases = "\n".join(f"    {name}) words={shlex.quote(_quoted(found))} ;;" for name, found in words.items())
    return f"""_teachable() {{
  local words current=${{COMP_WORDS[COMP_CWORD]}}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W {shlex.quote(_quoted([*words, "--help", "--version"]))} -- "$current"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}
    *) words= ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _teachable teachable
"""


def _zsh(words: Mapping[str, Sequence[str]]) -> str:
    # bash's way of completing stands on zsh's own, which a shell without an .zshrc has not set up
    ready = "(( $+functions[compdef] )) || { autoload -U compinit && compinit -i }"
    return f"{ready}\nautoload -U +X bashcompinit && bashcompinit\n{_bash(words)}"


def _fish(words: Mapping[str, Sequence[str]]) -> str:
    lines = [f"complete -c teachable -n __fish_use_subcommand -f -a {shlex.quote(' '.join(words))}"]
    for name, found in words.items():
        seen = shlex.quote(f"__fish_seen_subcommand_from {name}")
        lines.append(f"complete -c teachable -n {seen} -a {shlex.quote(' '.join(found))}")
    return "\n".join(lines) + "\n"
