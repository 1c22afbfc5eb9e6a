"""The directives of CoreDNS 1.14.7, and what their plugins refuse: one row each.

A row's function reads the tokens of all directives of its name in one server block, and raises
`Refusal` where the plugin's setup function returns an error. What only the machine knows (files,
network interfaces, addresses in use, names to look up) is never refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grpcdns.corefile.arguments import Arguments
from grpcdns.corefile.plugins import answering, caching, forwarding, rewriting, serving
from grpcdns.corefile.plugins.registries import word_set
from grpcdns.corefile.syntax import Server

Check = Callable[[Arguments, Server], None]

COREDNS: Final = "1.14.7"

CHECKS: Final[dict[str, Check | None]] = {
    "root": serving.check_root,
    "metadata": serving.check_metadata,
    "geoip": None,
    "cancel": serving.check_cancel,
    "proxyproto": None,
    "quic": None,
    "grpc_server": None,
    "https": None,
    "https3": None,
    "timeouts": None,
    "multisocket": serving.check_multisocket,
    "reload": serving.check_reload,
    "nsid": serving.check_nsid,
    "bufsize": serving.check_bufsize,
    "bind": serving.check_bind,
    "debug": serving.check_debug,
    "trace": None,
    "ready": serving.check_ready,
    "health": serving.check_health,
    "pprof": serving.check_pprof,
    "shed": None,
    "prometheus": serving.check_prometheus,
    "errors": caching.check_errors,
    "log": caching.check_log,
    "dnstap": None,
    "local": serving.check_local,
    "dns64": None,
    "any": serving.check_any,
    "chaos": serving.check_chaos,
    "loadbalance": caching.check_loadbalance,
    "tsig": None,
    "rewrite": rewriting.check_rewrite,
    "autopath": answering.check_autopath,
    "acl": serving.check_acl,
    "cache": caching.check_cache,
    "header": answering.check_header,
    "dnssec": None,
    "tls": None,
    "minimal": serving.check_alone,
    "template": answering.check_template,
    "transfer": answering.check_transfer,
    "hosts": answering.check_hosts,
    "route53": None,
    "azure": None,
    "clouddns": None,
    "k8s_external": answering.check_k8s_external,
    "kubernetes": answering.check_kubernetes,
    "file": None,
    "auto": None,
    "secondary": None,
    "etcd": None,
    "loop": serving.check_loop,
    "forward": forwarding.check_forward,
    "grpc": forwarding.check_grpc,
    "erratic": answering.check_erratic,
    "whoami": serving.check_alone,
    "on": None,
    "sign": None,
    "view": serving.check_view,
    "nomad": None,
}
"""In the order in which CoreDNS sets plugins up, and runs them. None: arguments are not checked."""

EXTERNAL: Final = word_set(
    "ads alias alternate amazondns blocklist docker dump ens fanout filter finalize git gravwell "
    "gslb idetcd ipecho ipset k8s_gateway kubenodes kubernetai lighthouse mdns meship multicluster "
    "mysql netbox pdsql ratelimit records recursor redis redisc rrl tailscale unbound warnlist "
    "wgsd"
)
"""Directives of plugins outside CoreDNS: a CoreDNS that was built with the plugin has them."""

HANDLERS: Final = frozenset(CHECKS) - word_set(
    "root quic grpc_server https https3 timeouts multisocket reload bind debug ready health pprof "
    "tls on proxyproto"
)
"""Plugins that others can name, as autopath does with @NAME."""
