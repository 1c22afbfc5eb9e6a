"""Answer CoreDNS's grpc plugin: start one process that watches the cluster and one worker for each
--listen address, and keep them running.

Every option can also be set by a variable, GRPCDNS_ and the option's name (GRPCDNS_LOG_LEVEL), and
by a key of the same name in the TOML file given with --config. A flag wins over a variable, a
variable over the file. A switch takes a value, too (--zonal=false).

Examples:
    grpcdns serve --zones cluster.local,10.96.0.0/12,10.244.0.0/16
    grpcdns serve --kubeconfig ~/.kube/config --listen 127.0.0.1:5301 --print-config
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

from grpcdns import log
from grpcdns.cli import output
from grpcdns.config.load import Loaded, load, log_format
from grpcdns.config.options import OPTIONS, Config, Option, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", default="", help="read options from this file")
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the value of every option and where it is set, and exit",
    )
    output.add_arguments(parser, json=False)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        groups[option.group].add_argument(f"--{option.name}", **_argument(option))


def start_log(words: Sequence[str]) -> Callable[[str], None]:
    """Start the log before the options are read, which may fail; returns what logs the reason."""
    log.start("supervisor", "info", log_format(words, os.environ))
    return log.fail


def run(args: argparse.Namespace) -> int:
    flags = {o.name: given for o in OPTIONS if (given := getattr(args, o.field)) is not None}
    environ = dict(os.environ)

    def again() -> Config:
        """The options as file and variables have them now, for a reload."""
        return load(flags, environ, args.config).config

    loaded = load(flags, environ, args.config)
    if args.print_config:
        text = loaded.text()
        output.emit(args, _document(loaded), lambda _: output.write(text))
        return 0
    if args.output != output.TEXT:
        raise UserError("--output is for --print-config")
    from grpcdns.serve.supervisor import supervisor

    return supervisor.run(loaded.config, again, loaded.file)


def _document(loaded: Loaded) -> Any:
    from grpcdns.cli.documents import OptionValue, PrintedConfig

    return PrintedConfig(
        file=loaded.file,
        options={
            name: OptionValue(value=value, origin=loaded.origin[name])
            for name, value in loaded.values()
        },
    )


def _argument(option: Option) -> dict[str, Any]:
    """The argument of an option: its text, which ``load`` parses as it parses a variable's."""
    shown = option.show(option.default)
    text = option.help + (f" [{shown}]" if shown and option.metavar else "")
    argument: dict[str, Any] = {"help": text.replace("%", "%%")}
    if not option.metavar:
        return argument | {"nargs": "?", "const": "true", "metavar": "BOOL"}
    if isinstance(option.default, tuple):
        argument["action"] = "append"
    return argument | {"metavar": option.metavar}
