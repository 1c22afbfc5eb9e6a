"""How flags, GRPCDNS_* variables and a TOML file become one checked ``Config``.

    config = load(flags, os.environ, file).config

A flag wins over a variable, a variable over the file, the file over the default. The origin of each
value is kept. A mistake is a ``UserError`` of one line that names the option as it was written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from grpcdns.config import values as v
from grpcdns.config.options import BY_NAME, OPTIONS, PREFIX, Config, Option, UserError
from grpcdns.config.selector import SelectorError, parse_selector

# Variables that are not options: other parts of this project read them.
_OTHER_VARIABLES: Final = frozenset(
    {"GRPCDNS_CONFIG", "GRPCDNS_SERVER", "GRPCDNS_CACHE", "GRPCDNS_COMPILE"}
)
# Kubernetes sets these (as Docker links did) for a Service whose name begins with "grpcdns".
_SERVICE_LINK: Final = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_\w+)?)?)"
)


_EXCLUSIVE: Final = (
    ("namespaces", "namespace-labels"),
    ("zonal", "no-endpoints"),
    ("serve-terminating", "no-endpoints"),
    ("hold-empty", "no-endpoints"),
    ("manifests", "kubeconfig"),
)
_NEEDED: Final = (
    ("context", "kubeconfig"),
    ("tls-cert", "tls-key"),
    ("tls-key", "tls-cert"),
    ("tls-client-ca", "tls-cert"),
    ("admin-anywhere", "admin"),
)


Value = bool | int | float | str | list[str]


class Loaded(msgspec.Struct, frozen=True):
    """A ``Config``, the origin of each value by option name, and the file that was read, if any."""

    config: Config
    origin: dict[str, str]
    file: str = ""

    def text(self) -> str:
        """``--print-config``: a configuration file, with the origin of each value as a comment."""
        lines = [
            f"{name} = {_toml(value)}  # {self.origin[name]}\n" for name, value in self.values()
        ]
        return "".join(lines)

    def values(self) -> Iterator[tuple[str, Value]]:
        """The name of each option, and its value as TOML and JSON have it."""
        for option in OPTIONS:
            yield option.name, _plain(option, getattr(self.config, option.field))


def load(flags: Mapping[str, Any], environ: Mapping[str, str], file: str = "") -> Loaded:
    """The outcome of ``flags`` (text by option name), variables and the TOML ``file``.

    Raises UserError.
    """
    values: dict[str, Any] = {}
    origin = dict.fromkeys(BY_NAME, "default")
    file = file or environ.get("GRPCDNS_CONFIG", "")
    for layer, where in (
        (_from_file(file) if file else {}, f"{file}: {{name}}"),
        (_from_environ(environ), "{variable}"),
        (flags, "--{name}"),
    ):
        for name, raw in layer.items():
            option = BY_NAME[name]
            place = where.format(name=name, variable=option.variable)
            try:
                values[option.field] = option.read(raw)
            except ValueError as error:
                raise UserError(f"{place}: {error}") from error
            origin[name] = place
    if not (values.get("kubeconfig") or values.get("manifests")):
        values["kubeconfig"], place = _default_kubeconfig(environ)
        origin["kubeconfig"] = place or origin["kubeconfig"]
    config = Config(**values)
    _check(config, origin)
    return Loaded(config, origin, file)


def log_format(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """The format of the log, "text" or "json", whatever else is wrong with the command line, the
    variables or the file: it is needed to say so."""
    name = "log-format"
    given = {name: environ.get(BY_NAME[name].variable, ""), "config": ""}
    for flag, after in zip(words, [*words[1:], ""], strict=True):
        found, equals, value = flag.removeprefix("--").partition("=")
        if flag.startswith("--") and found in given:
            given[found] = value if equals else after
    file = given["config"] or environ.get("GRPCDNS_CONFIG", "")
    if file and not given[name]:
        try:
            given[name] = str(_from_toml(file).get(name, ""))
        except UserError:
            pass
    return "json" if given[name] == "json" else "text"


def unknown(what: str, name: str, known: Sequence[str]) -> UserError:
    """The error for an unknown name, with the nearest known one."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return UserError(f"{what} {name}" + (f" (did you mean {near[0]}?)" if near else ""))


def _from_file(path: str) -> dict[str, Any]:
    content = _from_toml(path)
    for name in content:
        if name not in BY_NAME:
            raise unknown(f"{path}: unknown key", name, list(BY_NAME))
    return content


def _from_toml(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: not TOML: {error}") from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    by_variable = {option.variable: option for option in OPTIONS}
    found = {}
    for variable, value in environ.items():
        if option := by_variable.get(variable):
            found[option.name] = value
        elif (
            variable.startswith(PREFIX)
            and variable not in _OTHER_VARIABLES
            and not _SERVICE_LINK.fullmatch(variable)
        ):
            raise unknown("unknown variable", variable, list(by_variable))
    return found


def _default_kubeconfig(environ: Mapping[str, str]) -> tuple[str, str]:
    """The kubeconfig that kubectl would use, and its origin; "" in a Pod, whose service account
    comes first, and where there is none."""
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "", ""
    if given := environ.get("KUBECONFIG"):
        return given, "KUBECONFIG"
    path = f"{environ.get('HOME', '')}/.kube/config"
    return (path, "~/.kube/config") if os.path.exists(path) else ("", "")


def _check(config: Config, origin: Mapping[str, str]) -> None:
    """Checks what takes more than one option to see."""
    for name, why in (*_bad_selectors(config), *_conflicts(config)):
        place = origin[name] if origin[name] != "default" else f"--{name}"
        raise UserError(f"{place}: {why}")


def _conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Options that conflict with another one, and why."""
    for first, second in _EXCLUSIVE:
        if getattr(config, BY_NAME[first].field) and getattr(config, BY_NAME[second].field):
            yield first, f"cannot be combined with {second}: leave one of them out"
    for first, second in _NEEDED:
        if getattr(config, BY_NAME[first].field) and not getattr(config, BY_NAME[second].field):
            yield first, f"has no effect without {second}"
    if config.admin and not (config.admin_anywhere or v.is_private(config.admin)):
        why = "is no loopback address: others could read the page (admin-anywhere allows it)"
        yield "admin", f"{config.admin} {why}"
    if not config.listen:
        yield "listen", "no address to listen on"
    if all(map(_is_reverse, config.zones)):
        yield "zones", "at least one zone must be a forward zone, such as cluster.local"
    for zone in config.multicluster:
        if zone not in config.zones:
            yield "multicluster", f"{zone} is not among the zones ({','.join(config.zones)})"
    for zone in config.external_zones:
        if zone in config.zones:
            yield "external-zones", f"{zone} is already among the zones"


def _bad_selectors(config: Config) -> Iterator[tuple[str, str]]:
    for name in ("labels", "namespace-labels"):
        try:
            parse_selector(getattr(config, BY_NAME[name].field))
        except SelectorError as error:
            yield name, str(error)


def _is_reverse(zone: str) -> bool:
    return zone.endswith((".in-addr.arpa.", ".ip6.arpa.")) or zone in ("in-addr.arpa.", "ip6.arpa.")


def _plain(option: Option, value: Any) -> Value:
    """A duration, for one, is text."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, bool | int) or option.metavar in ("RATE", "PERCENT"):
        number: bool | int | float = value
        return number
    return option.show(value)


def _toml(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    return _quoted(value) if isinstance(value, str) else str(value).lower()


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
