"""The properties of ``kubernetes`` and ``k8s_external``, and grpcdns's flags for them, by row.

docs/migration.md has the same table for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from grpcdns.corefile.syntax import Directive
from grpcdns.corefile.zones import is_reverse, zones_of_text

ZONES: Final = ("--zones", "--external-zones", "--multicluster")
"""Flags whose values add up when several blocks have them."""


class Fate(StrEnum):
    """What becomes of a line."""

    KEPT = "kept"
    FLAG = "flag"
    CHANGED = "changed"
    LOST = "not possible"


class Account(NamedTuple):
    """A line of the old Corefile, and what became of it."""

    line: int
    text: str
    fate: Fate
    detail: str


class Row(NamedTuple):
    """``flag``: "" when there is none, and ``why`` has the reason. ``value`` makes the flag's value
    of the arguments; None for a switch."""

    flag: str
    value: Callable[[Sequence[str]], str] | None = None
    fate: Fate = Fate.FLAG
    why: str = ""


def _first(words: Sequence[str]) -> str:
    return words[0] if words else ""


def _list(words: Sequence[str]) -> str:
    return ",".join(word.rstrip(".") for word in words)


_ACCOUNT: Final = "in its Pod grpcdns uses the service account; elsewhere give --kubeconfig FILE"
_REVERSE: Final = (
    "reverse names outside the cluster's networks go to the block for the other names; those of "
    "its networks that have no record are NXDOMAIN"
)
_FORWARD: Final = (
    "nothing runs after grpc: names of the cluster that do not exist are NXDOMAIN; give names that "
    "another server knows a server block of their own"
)

KUBERNETES: Final[Mapping[str, Row]] = {
    "endpoint": Row("", fate=Fate.LOST, why=_ACCOUNT),
    "tls": Row("", fate=Fate.LOST, why=_ACCOUNT),
    "kubeconfig": Row("--kubeconfig", _first),
    "apiserver_qps": Row("--api-qps", _first),
    "apiserver_burst": Row("--api-burst", _first),
    "apiserver_max_inflight": Row("--api-max-inflight", _first),
    "namespaces": Row("--namespaces", ",".join),
    "namespace_labels": Row("--namespace-labels", " ".join),
    "labels": Row("--labels", " ".join),
    "pods": Row("--pods", _first),
    "endpoint_pod_names": Row("--endpoint-pod-names"),
    "ttl": Row("--ttl", _first),
    "noendpoints": Row("--no-endpoints"),
    "ignore": Row("--ignore-empty-service"),
    "zonal": Row("--zonal"),
    "multicluster": Row("--multicluster", _list),
    "startup_timeout": Row("--startup-timeout", _first),
    "fallthrough": Row("", fate=Fate.CHANGED, why=_REVERSE),
}

EXTERNAL: Final[Mapping[str, Row]] = {
    "apex": Row("--external-apex", _first),
    "ttl": Row("--external-ttl", _first),
    "headless": Row("--external-headless"),
    "fallthrough": Row("", fate=Fate.CHANGED, why=_REVERSE),
}


def _is_reverse_only(words: Sequence[str]) -> bool:
    zones = [zone for word in words for zone in zones_of_text(word)]
    return bool(zones) and all(map(is_reverse, zones))


class Flags:
    """The flags of one grpcdns, which takes the place of all ``kubernetes`` blocks."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._lines: dict[str, int] = {}
        self.accounts: list[Account] = []
        self.missing: list[str] = []

    def words(self) -> tuple[str, ...]:
        """Flags and values, in one order whatever the Corefile's was."""
        order = [*ZONES[:2], *sorted(self._values.keys() - set(ZONES[:2]))]
        pairs = ((flag, self._values.get(flag)) for flag in order)
        given = ((flag, value) for flag, value in pairs if value is not None)
        return tuple(word for pair in given for word in pair if word)

    def add_zones(self, flag: str, words: Sequence[str]) -> None:
        before = [word for word in self._values.get(flag, "").split(",") if word]
        every = dict.fromkeys([*before, *words])
        if every:
            self._values[flag] = ",".join(every)

    def take(self, directive: Directive, rows: Mapping[str, Row]) -> None:
        """The directive and its properties."""
        flag = "--external-zones" if rows is EXTERNAL else "--zones"
        value = self._values.get(flag, "")
        text = " ".join([directive.name, *directive.args])
        detail = (
            f"{flag} {value}; grpc takes its place"
            if value
            else "no query for its zones comes here"
        )
        fate = Fate.FLAG if value else Fate.LOST
        self.accounts.append(Account(directive.line, text, fate, detail))
        for one in directive.block:
            if one.name != "}":
                self._take_property(one, rows.get(one.name))

    def _take_property(self, one: Directive, row: Row | None) -> None:
        text = " ".join([one.name, *one.args])
        if row is None:
            why = "neither CoreDNS nor grpcdns has it"
            self.accounts.append(Account(one.line, text, Fate.LOST, why))
            return
        if one.name == "fallthrough" and not _is_reverse_only(one.args):
            self.accounts.append(Account(one.line, text, Fate.LOST, _FORWARD))
            return
        if not row.flag or (one.name == "ignore" and not one.args):
            fate, why = (row.fate, row.why) if row.why else (Fate.KEPT, "it has no effect")
            self.accounts.append(Account(one.line, text, fate, why))
            return
        value = row.value(one.args) if row.value else ""
        if one.name == "kubeconfig" and len(one.args) > 1:
            self._set("--context", one.args[1], one)
        self._set(row.flag, value, one)

    def _set(self, flag: str, value: str, one: Directive) -> None:
        text = " ".join([one.name, *one.args])
        if self._values.get(flag, value) != value and flag not in ZONES:
            why = f"grpcdns has one {flag}: {self._values[flag]}, from line {self._lines[flag]}"
            self.accounts.append(Account(one.line, text, Fate.LOST, why))
            return
        self._values[flag] = value
        self._lines.setdefault(flag, one.line)
        self.accounts.append(Account(one.line, text, Fate.FLAG, f"{flag} {value}".rstrip()))
