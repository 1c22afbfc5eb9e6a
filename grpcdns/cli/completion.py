"""Print a completion script for a shell, made from the commands' flags.

bash: source <(grpcdns completion bash)
zsh:  source <(grpcdns completion zsh)
fish: grpcdns completion fish | source

Example:
    grpcdns completion bash
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from grpcdns import cli

_BASH = """_grpcdns() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  local command=${{COMP_WORDS[1]}}
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W "{commands} --help --version" -- "$word")); return
  fi
  case "$command $before" in
{values}
  esac
  case "$command" in
{flags}
  esac
}}
complete -o default -F _grpcdns grpcdns
"""
_BASH_CASE = '    {}) COMPREPLY=($(compgen -W "{}" -- "$word")); return ;;'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish"
    )


def run(args: argparse.Namespace) -> int:
    if args.shell == "fish":
        print("\n".join(_fish()))
    else:
        zsh = "autoload -U +X bashcompinit && bashcompinit\n" if args.shell == "zsh" else ""
        print(zsh + _bash(), end="")
    return 0


def _bash() -> str:
    flags, values = [], []
    for command in cli.COMMANDS:
        names = []
        for name, words, _ in _flags(command):
            names.append(name)
            if words:
                values.append(_BASH_CASE.format(f'"{command} {name}"', words))
        flags.append(_BASH_CASE.format(command, " ".join(names)))
    return _BASH.format(
        commands=" ".join(cli.COMMANDS), flags="\n".join(flags), values="\n".join(values)
    )


def _fish() -> Iterator[str]:
    yield "complete -c grpcdns -n __fish_use_subcommand -f"
    for command, summary in cli.COMMANDS.items():
        yield f"complete -c grpcdns -n __fish_use_subcommand -a {command} -d {_quoted(summary)}"
        for name, words, text in _flags(command):
            line = f"complete -c grpcdns -n '__fish_seen_subcommand_from {command}' -l {name[2:]}"
            yield line + (f" -x -a '{words}'" if words else "") + f" -d {_quoted(text)}"


def _flags(command: str) -> Iterator[tuple[str, str, str]]:
    """A command's long flags: name, the words that may follow it, help text."""
    for action in cli.parser_of(command)._actions:
        words = list(action.choices or [])
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        if not words and metavar.islower():
            words = metavar.split("|")
        for name in action.option_strings:
            if name.startswith("--"):
                yield name, " ".join(words), (action.help or "").replace("%%", "%")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
