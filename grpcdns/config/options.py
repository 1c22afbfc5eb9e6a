"""The options: one table, and the value that holds the outcome.

``OPTIONS`` is the only source of flags, GRPCDNS_* variables, TOML keys, checks, the documented
table and ``--print-config``. ``Config`` holds the values and the defaults; the defaults of answers
are inherited from ``core``. ``load.py`` merges flags, variables and file.

To add an option for answers, add a row here and a field to ``AnswerOptions``; for anything else,
add a row and a field to ``Config``.

Every process imports this, the supervisor included, so it imports little.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from grpcdns.config import values as v
from grpcdns.core.answers.policy import AnswerOptions, Policy

PREFIX: Final = "GRPCDNS_"


class UserError(Exception):
    """A mistake of the user's: what, where and what to do, in one line. Exit code 2."""


class Config(AnswerOptions, frozen=True, kw_only=True):
    """Every option's value, parsed and checked, with its default.

    Durations are in seconds; zones are lower-case, absolute and expanded from CIDRs; an empty
    string or tuple means "not given". ``OPTIONS`` says what each one means.
    """

    listen: tuple[str, ...] = ("unix:///run/grpcdns/0.sock", "unix:///run/grpcdns/1.sock")
    socket_group: str = ""
    transport: str = "auto"
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    metrics: str = ""
    admin: str = ""
    admin_anywhere: bool = False
    kubeconfig: str = ""
    context: str = ""
    manifests: tuple[str, ...] = ()
    strict: bool = False
    namespace_labels: str = ""
    labels: str = ""
    startup_timeout: float = 5.0
    api_qps: float = 0.0
    api_burst: int = 0
    api_max_inflight: int = 0
    snapshot: str = ""
    snapshot_max_age: float = 86400.0
    guard: float = 0.0
    guard_max: float = 3600.0
    upstream: str = "127.0.0.1:53"
    log_level: str = "info"
    log_format: str = "text"

    def policy(self) -> Policy:
        """The options for answers, as the core reads them."""
        return msgspec.convert(self, Policy, from_attributes=True)

    def to_json(self) -> bytes:
        """For a child process; ``from_json`` reads it back."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, raw: bytes) -> Config:
        """Raises ``msgspec.DecodeError`` when ``raw`` is no Config."""
        return msgspec.json.decode(raw, type=cls)


class Option(msgspec.Struct, frozen=True):
    """One row: ``name`` as in flags and files, ``parse`` for its text, ``help`` for the user.

    ``metavar`` is "" for a switch. ``reload``: a new value takes effect on SIGHUP or when the file
    changes, without a restart.
    """

    name: str
    group: str
    parse: v.Parser
    metavar: str
    help: str
    reload: bool = False

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return PREFIX + self.field.upper()

    @property
    def default(self) -> Any:
        return getattr(Config(), self.field)

    @property
    def is_duration(self) -> bool:
        return self.metavar == "DURATION"

    def read(self, raw: Any) -> Any:
        """The value of ``raw``; "" means "not given" if that is the default. Raises ValueError."""
        return self.default if raw == "" and self.default in ("", ()) else self.parse(raw)

    def show(self, value: Any) -> str:
        """A value as written on the command line; "" if it is not given."""
        if isinstance(value, tuple):
            return ",".join(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if self.is_duration:
            return v.show_duration(value)
        return f"{value:g}" if isinstance(value, float) else f"{value}"


_TTL: Final = v.integer(0, 3600)
_SERVE, _SOURCE, _ANSWERS, _LOG = "Serving", "Where records come from", "Answers", "Logs"

# fmt: off
OPTIONS: Final = (
    Option("listen", _SERVE, v.many(v.listen_address, distinct=True), "ADDR",
           "address of a worker; repeat for another worker: unix:///path, HOST:PORT, [v6]:PORT"),
    Option("socket-group", _SERVE, v.text, "GROUP",
           "group, by name or number, that may connect to the unix sockets (mode 0660)"),
    Option("transport", _SERVE, v.choice("auto", "lane", "threads"), "auto|lane|threads",
           "how gRPC is served: fast lane, grpcio's thread pool, or the lane if it works (auto)"),
    Option("tls-cert", _SERVE, v.text, "FILE",
           "certificate chain (PEM) for the TCP addresses; reloaded when the file changes"),
    Option("tls-key", _SERVE, v.text, "FILE", "the certificate's private key (PEM)"),
    Option("tls-client-ca", _SERVE, v.text, "FILE",
           "CA (PEM) that must have signed each client's certificate"),
    Option("metrics", _SERVE, v.host_port, "ADDR",
           "address of Prometheus metrics over HTTP; none by default"),
    Option("admin", _SERVE, v.listen_address, "ADDR",
           "loopback address or unix socket of a read-only status page and its JSON; none by"
           " default"),
    Option("admin-anywhere", _SERVE, v.boolean, "",
           "let --admin be an address that others can reach: the page has no authentication"),
    Option("kubeconfig", _SOURCE, v.text, "FILE",
           "kubeconfig of the cluster; by default a Pod's own account, else as kubectl finds it"),
    Option("context", _SOURCE, v.text, "NAME",
           "context of the kubeconfig, if not its current one"),
    Option("manifests", _SOURCE, v.many(v.text), "PATH",
           "YAML or JSON files, or folders of them, instead of a cluster"),
    Option("strict", _SOURCE, v.boolean, "",
           "refuse manifests with a mistake, which is otherwise logged, and the rest served"),
    Option("namespaces", _SOURCE, v.many(v.label), "NAMES",
           "only these namespaces, separated by commas", reload=True),
    Option("namespace-labels", _SOURCE, v.text, "EXPR",
           "only namespaces that match this label selector"),
    Option("labels", _SOURCE, v.text, "EXPR",
           "only Services, EndpointSlices and Pods that match this label selector"),
    Option("startup-timeout", _SOURCE, v.duration(0, 3600), "DURATION",
           "how long the first complete list may take before a warning is logged"),
    Option("api-qps", _SOURCE, v.number(0, 1e6), "RATE",
           "API requests a second, at most; 0 is no limit"),
    Option("api-burst", _SOURCE, v.integer(0, 10**6), "COUNT",
           "API requests at once before api-qps applies; 0 is the same number as api-qps"),
    Option("api-max-inflight", _SOURCE, v.integer(0, 10**6), "COUNT",
           "API requests in flight, at most; 0 is no limit"),
    Option("snapshot", _SOURCE, v.text, "FILE",
           "keep the last complete state in this file; start from it if the API is unreachable"),
    Option("snapshot-max-age", _SOURCE, v.duration(0, 366 * 86400), "DURATION",
           "do not start from a snapshot older than this"),
    Option("guard", _SOURCE, v.number(0, 99), "PERCENT",
           "hold the old answers when more of the Services, Namespaces or endpoints than this are"
           " lost at once; 0 follows every loss"),
    Option("guard-max", _SOURCE, v.duration(1, 366 * 86400), "DURATION",
           "follow the losses after this time, if nobody has let go (grpcdns guard release)"),
    Option("zones", _ANSWERS, v.cluster_zones, "ZONES",
           "zones to answer for; a CIDR stands for its reverse zones, auto for those of the"
           " ServiceCIDRs", reload=True),
    Option("ttl", _ANSWERS, _TTL, "SECONDS",
           "TTL of every answer, 0 to 3600 seconds; what adaptive gives where no other fits",
           reload=True),
    Option("ttl-mode", _ANSWERS, v.choice("fixed", "adaptive"), "fixed|adaptive",
           "TTL by what an answer is made of and what changed in the last minute (adaptive)",
           reload=True),
    Option("ttl-stable", _ANSWERS, _TTL, "SECONDS",
           "adaptive TTL of a Service's cluster IPs that have not changed for a minute",
           reload=True),
    Option("pods", _ANSWERS, v.choice("disabled", "insecure", "verified"),
           "disabled|insecure|verified",
           "answer 1-2-3-4.NAMESPACE.pod names: never, always, or if such a Pod exists"),
    Option("endpoint-pod-names", _ANSWERS, v.boolean, "",
           "name an endpoint without hostname after its Pod, not its address", reload=True),
    Option("no-endpoints", _ANSWERS, v.boolean, "",
           "do not watch EndpointSlices: no headless Services and no endpoint names"),
    Option("ignore-empty-service", _ANSWERS, v.boolean, "",
           "NXDOMAIN for a Service without ready endpoints", reload=True),
    Option("zonal", _ANSWERS, v.boolean, "",
           "answer ZONE.pin._zone and ZONE.prefer._zone names of headless Services", reload=True),
    Option("topology-zone", _ANSWERS, v.zone_label, "ZONE",
           "topology zone of this Pod: preferred by headless Services with trafficDistribution"),
    Option("topology-node", _ANSWERS, v.subdomain, "NODE",
           "node of this Pod: preferred by those with trafficDistribution: PreferSameNode"),
    Option("topology-min-share", _ANSWERS, v.share, "SHARE",
           "share of all ready endpoints, 0 to 1, that a preferred zone must have; by default half"
           " of an equal share", reload=True),
    Option("serve-terminating", _ANSWERS, v.boolean, "",
           "answer a Service without ready endpoints with those that serve while terminating",
           reload=True),
    Option("hold-empty", _ANSWERS, v.duration(0, 86400), "DURATION",
           "go on for so long with the last ready endpoints of a Service that has none left; 0 does"
           " not"),
    Option("cluster-id", _ANSWERS, v.subdomain, "NAME",
           "this cluster's name in the clusterset: preferred by headless ServiceImports with"
           " trafficDistribution"),
    Option("multicluster", _ANSWERS, v.many(v.zone), "ZONES",
           "which of the zones belong to the Multi-Cluster Services API"),
    Option("dns-service", _ANSWERS, v.namespaced_name, "NAMESPACE/NAME",
           "the Service that clients send queries to: the zones' name server", reload=True),
    Option("upstream", _ANSWERS, v.upstream_address, "ADDR",
           "DNS server for ExternalName targets outside the zones; none: do not ask",
           reload=True),
    Option("external-zones", _ANSWERS, v.many(v.zone), "ZONES",
           "zones for load balancer addresses and external IPs", reload=True),
    Option("external-apex", _ANSWERS, v.label, "LABEL",
           "label of the external zones' own records", reload=True),
    Option("external-headless", _ANSWERS, v.boolean, "",
           "answer headless Services in the external zones, too", reload=True),
    Option("external-ttl", _ANSWERS, _TTL, "SECONDS",
           "TTL in the external zones, 0 to 3600 seconds", reload=True),
    Option("log-level", _LOG, v.choice("debug", "info", "warning", "error"),
           "debug|info|warning|error", "lowest level that is logged", reload=True),
    Option("log-format", _LOG, v.choice("text", "json"), "text|json", "format of log lines"),
)
# fmt: on
BY_NAME: Final = {option.name: option for option in OPTIONS}
