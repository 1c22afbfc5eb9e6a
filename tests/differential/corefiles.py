"""Random Corefiles, right and wrong ones, from a seed: what CoreDNS and the check are asked about.

Words come from small sets, so that zones, networks and addresses collide. Some Corefiles have only
arguments that the plugins accept and go wrong in their keys or braces alone, if at all; others have
wrong arguments, or a token removed, doubled or moved.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import yaml

from harness.paths import ROOT

NAMES: Final = (
    *(
        "cluster.local",
        "cluster.local.",
        "Cluster.LOCAL",
        "a",
        "a.b",
        "b.a.",
        ".",
        "x-1",
        "c",
        "d.",
    ),
    *("e", "f.g", "h", "é.local", ")", "x_y", "*.z", "-"),
)
NETWORKS: Final = (
    *("10.96.0.0/12", "10.96.0.0/16", "10.0.0.0/8", "10.97.3.4/16", "10.0.0.0/7", "192.0.2.1/32"),
    *("96.10.in-addr.arpa", "97.10.in-addr.arpa.", "10.in-addr.arpa", "in-addr.arpa"),
    *("fd00::/8", "fd00:10::/44", "d.f.ip6.arpa", "fd00::1/128", "0.0.0.0/0"),
    *("10.0.0.0/33", "10.0.0.0/x", "10.0.0/8", "10.0.0.0/255.0.0.0", "fe80::1%lo/64"),
)
PORTS: Final = ("", "", "", "", "", ":53", ":1053", ":053", ":+53", ":0", ":443", ":853")
BAD_PORTS: Final = (":70000", ":-1", ":", ":x", ":99999999999999999999")
SCHEMES: Final = ("", "", "", "", "", "", "dns://", "tls://", "grpc://", "https://", "unix://")
BAD_SCHEMES: Final = ("quic://", "https3://", "http://", "dns:/", "tls://dns://")
BAD_NAMES: Final = (
    "a..b",
    ".a",
    f"{'a' * 64}.b",
    f"{'abcdefg.' * 32}x",
    "a\\",
    "}",
    "::/0",
    "0::/8",
)
BINDS: Final = ("127.0.0.1", "127.0.0.2", "::1", "127.0.0.1 ::1", "127.0.0.1 127.0.0.1", "lo")
BAD_BINDS: Final = ("", "localhost:53", "127.0.0.1:53", "300.1.1.1", "127.0.0.1 {\n except\n }")
VARIABLES: Final = {
    "ZONE": "cluster.local",
    "TTL": "30",
    "WORD": "x",
    "PLUGIN": "errors",
    "EMPTY": "",
    "CIDR": "10.96.0.0/16",
    "IP": "127.0.0.1",
    "NESTED": "{$TTL}",
}


class Plugin(NamedTuple):
    """Arguments and properties that the plugin accepts, and some that it refuses."""

    args: Sequence[str]
    props: Sequence[str]
    bad_args: Sequence[str]
    bad_props: Sequence[str]


def _plugins() -> dict[str, Plugin]:
    words = yaml.safe_load((ROOT / "tests/differential/corefile_words.yaml").read_text())
    return {
        name: Plugin(
            *(
                tuple(map(str, kinds.get(kind, ())))
                for kind in ("args", "props", "bad args", "bad props")
            )
        )
        for name, kinds in words.items()
    }


PLUGINS: Final = _plugins()
COMMON: Final = ("errors", "grpc", "forward", "cache", "loadbalance", "health", "ready", "reload")
UNKNOWN: Final = (
    "forwrd",
    "Errors",
    "fanout",
    "k8s_gateway",
    "proxy",
    "nameserver",
    "servfail",
    "é",
)
FILES: Final = ("nowhere.conf", "*.conf", "*.conf", "*.conf", "a*b*.conf", "[x].conf")


class Made(NamedTuple):
    """``features``: what is in it, for the test that the generator reaches everything."""

    text: str
    features: frozenset[str]


class Maker:
    """Corefiles from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._features: set[str] = set()
        self._wrong = 0.0
        self._snippets: list[str] = []
        self._defined: list[str] = []
        self._before: list[str] = []

    def make(self) -> Made:
        self._features, self._snippets, self._defined, self._before = set(), [], [], []
        self._wrong = self._random.choice((0.0, 0.0, 0.0, 0.01, 0.03, 0.1, 0.3))
        count = self._random.choice((1, 1, 1, 2, 2, 3))
        blocks = [self._server(alone=count == 1) for _ in range(count)]
        parts = [*self._snippets, *blocks]
        if self._chance(0.02):
            self._has("import at the top")
            parts.insert(self._random.randrange(len(parts) + 1), f"import {self._file()}")
        text = "\n".join(parts) + ("\n" if self._chance(0.8) else "")
        if self._chance(0.1):
            text = self._mutated(text)
        if self._chance(0.03):
            self._has("byte order mark")
            text = "\ufeff" + text
        if self._chance(0.05):
            self._has("carriage returns")
            text = text.replace("\n", "\r\n")
        return Made(text, frozenset(self._features))

    # -- chance

    def _chance(self, likely: float) -> bool:
        return self._random.random() < likely

    def _is_wrong(self, what: str) -> bool:
        wrong = self._chance(self._wrong)
        if wrong:
            self._has(f"wrong {what}")
        return wrong

    def _has(self, feature: str) -> None:
        self._features.add(feature)

    def _pick(self, words: Sequence[str]) -> str:
        return self._random.choice(words)

    # -- server blocks

    def _server(self, *, alone: bool) -> str:
        keys = [self._key() for _ in range(self._random.choice((1, 1, 1, 2, 2, 3)))]
        if self._before and self._chance(0.2):
            self._has("same keys in two blocks")
            keys = self._before
        self._before = keys
        separator = self._random.choice((" ", " ", " ", ", ", ",\n", "  "))
        if "," in separator:
            self._has("keys with commas")
        head = separator.join(keys)
        lines = self._lines()
        style = self._random.random()
        if style < 0.04 and alone:
            self._has("no braces")
            return "\n".join([head, *lines])
        if style < 0.08 and len(lines) < 3:
            self._has("server block in one line")
            return f"{head} {{ {' '.join(lines)} }}"
        if style < 0.16:
            self._has("brace on the next line")
            return "\n".join([head, "{", *lines, "}"])
        return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}"])

    def _key(self) -> str:
        if self._is_wrong("name"):
            return self._quoted(self._pick(BAD_NAMES))
        if self._chance(0.05):
            self._has("variable in a key")
            return self._pick(
                ("{$ZONE}", "{$CIDR}", "{%ZONE%}", "x.{$WORD}", "{$NONE}", "{$EMPTY}")
            )
        network = self._chance(0.3)
        if network:
            self._has("network")
        word = self._pick(NETWORKS if network else NAMES)
        scheme = self._pick(SCHEMES)
        if self._is_wrong("scheme"):
            scheme = self._pick(BAD_SCHEMES)
        port = self._pick(PORTS)
        if self._is_wrong("port"):
            port = self._pick(BAD_PORTS)
        if scheme:
            self._has(f"scheme {scheme}")
        if port:
            self._has("port")
        return self._quoted(f"{scheme}{word}{port}")

    def _quoted(self, word: str) -> str:
        if self._chance(0.03):
            self._has("quoted word")
            return f'"{word}"'
        return word

    def _lines(self) -> list[str]:
        names = [self._pick(COMMON) for _ in range(self._random.choice((0, 1, 2, 2, 3)))]
        names += [self._pick(list(PLUGINS)) for _ in range(self._random.choice((0, 1, 1, 2)))]
        names = self._once(names)
        lines = [line for name in names for line in self._directive(name)]
        if self._chance(0.25):
            lines.append(self._bind())
        if self._chance(0.15):
            lines += self._directive("view")
        if self._is_wrong("directive"):
            lines.append(self._pick(UNKNOWN))
        self._random.shuffle(lines)
        if self._chance(0.15):
            lines = self._through_snippet(lines)
        if self._chance(0.02):
            self._has("import of a file")
            lines.append(f"import {self._file()}")
        return [self._decorated(line) for line in lines]

    def _once(self, names: list[str]) -> list[str]:
        """Mostly each plugin once, which many plugins insist on."""
        if self._chance(0.05):
            self._has("directive twice")
            return names
        return list(dict.fromkeys(names))

    def _file(self) -> str:
        return self._pick(FILES)

    def _bind(self) -> str:
        self._has("bind")
        if self._is_wrong("bind"):
            return f"bind {self._pick(BAD_BINDS)}"
        if self._chance(0.1):
            self._has("bind with except")
            return (
                f"bind 127.0.0.1 127.0.0.2 {{\n except {self._pick(('127.0.0.2', '127.0.0.9'))}\n}}"
            )
        return f"bind {self._pick((*BINDS, '{$IP}'))}"

    def _directive(self, name: str) -> list[str]:
        self._has(name)
        plugin = PLUGINS[name]
        wrong = bool(plugin.bad_args) and self._is_wrong(f"arguments of {name}")
        args = self._pick(plugin.bad_args if wrong else plugin.args)
        head = f"{self._quoted(name)} {args}".rstrip()
        count = self._random.choice((0, 0, 1, 2, 3)) if plugin.props else 0
        props = [self._pick(plugin.props) for _ in range(count)]
        if self._is_wrong(f"property of {name}"):
            props.insert(self._random.randrange(len(props) + 1), self._pick(plugin.bad_props))
        if name == "kubernetes":
            props += ["endpoint http://127.0.0.1:9", "startup_timeout 1ms"]
        if name == "transfer" and not wrong and not props:
            props = ["to *"]
        if name == "header" and not wrong and not props:
            props = ["query set aa"]
        return [self._block(head, props)] if props or self._chance(0.02) else [head]

    def _block(self, head: str, props: list[str]) -> str:
        style = self._random.random()
        if style < 0.15:
            self._has("one-line block")
            return f"{head} {{ {' '.join(props)} }}"
        if style < 0.2:
            self._has("brace after the properties")
            return "\n".join([f"{head} {{", *props]) + " }"
        if style < 0.23:
            self._has("plugin's brace on the next line")
            return "\n".join([head, "{", *props, "}"])
        if style < 0.25:
            self._has("property on the line of the brace")
            return "\n".join([f"{head} {{ {props[0] if props else ''}", *props[1:], "}"])
        if style < 0.3 and props:
            self._has("properties from a snippet")
            name = self._snippet(props)
            return "\n".join([f"{head} {{", f"    import {name}", "}"])
        return "\n".join([f"{head} {{", *(f"    {prop}" for prop in props), "}"])

    # -- snippets

    def _through_snippet(self, lines: list[str]) -> list[str]:
        self._has("import of a snippet")
        cut = self._random.randrange(len(lines) + 1)
        inside = lines[:cut]
        if self._defined and self._chance(0.4):
            self._has("import in a snippet")
            inside.insert(
                self._random.randrange(len(inside) + 1), f"import {self._pick(self._defined)}"
            )
        name = self._snippet(inside)
        wrong = self._is_wrong("import")
        word = self._pick(("", f"{name} x", f"({name})", f"{name} {{")) if wrong else name
        return [f"import {word}", *lines[cut:]]

    def _snippet(self, lines: list[str]) -> str:
        again = self._defined and self._is_wrong("second snippet of a name")
        name = self._defined[-1] if again else f"s{len(self._defined)}"
        body = list(lines)
        if self._is_wrong("snippet that imports itself"):
            body.append(f"import {name}")
        text = "\n".join([f"({name}) {{", *body, "}"])
        self._defined.append(name)
        if self._chance(0.3):
            self._has("snippet before one that it imports")
            self._snippets.insert(0, text)
        else:
            self._snippets.append(text)
        return name

    # -- texts

    def _decorated(self, line: str) -> str:
        if self._chance(0.06):
            self._has("comment")
            line += self._pick((" # a comment", " # { not a brace", "\n# a line", ' # "'))
        if self._chance(0.02):
            self._has("comment in a word")
            line += self._pick(("#a", "#a b", "# a b"))
        if self._chance(0.04):
            line = self._with_variable(line)
        return line

    def _with_variable(self, line: str) -> str:
        """One word replaced by a variable, mostly by one with that value."""
        self._has("variable")
        words = re.split(r"(\s+)", line)
        at = self._random.randrange(0, len(words), 2)
        same = [name for name, value in VARIABLES.items() if value and value in words[at]]
        if same:
            name = self._pick(same)
            words[at] = words[at].replace(VARIABLES[name], f"{{${name}}}")
        elif words[at] not in ("{", "}") and (at > 0 or self._chance(0.2)):
            words[at] = self._pick(("{$WORD}", "{$TTL}", "{%TTL%}", "{$NESTED}", "{$}", "{$NONE}"))
        return "".join(words)

    def _mutated(self, text: str) -> str:
        """A token removed, doubled, swapped or put in."""
        self._has("mutated")
        words = re.split(r"(\s+)", text)
        at = self._random.randrange(0, len(words), 2)
        other = self._random.randrange(0, len(words), 2)
        match self._random.randrange(5):
            case 0:
                words[at] = ""
            case 1:
                words[at] = f"{words[at]} {words[at]}"
            case 2:
                words[at], words[other] = words[other], words[at]
            case 3:
                put = (
                    "{",
                    "}",
                    '"',
                    "#",
                    "import",
                    ",",
                    "\n",
                    "\\",
                    "(s)",
                    '""',
                    "{$",
                    "\x1f",
                    "\xa0",
                )
                words.insert(at, f" {self._pick(put)} ")
            case _:
                if at + 1 < len(words):
                    words[at + 1] = self._pick((" ", "\n", "\t", "\n\n", "\v"))
        return "".join(words)
