"""Traps with which CoreDNS does not start, whatever plugin or line they are in.

What CoreDNS refuses is decided in ``start`` and ``plugins``. The rows on ``grpc`` lines that it
refuses are in ``grpc_lines``.
"""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.plugins import COREDNS
from grpcdns.corefile.traps.trap import ERROR, NOTE, Trap, refused

# fmt: off
TRAPS: Final = (
    Trap("unknown-directive", ERROR, f"CoreDNS does not start: neither CoreDNS {COREDNS} nor a "
         "known external plugin has this directive.", "Correct the word, or remove the line.",
         refused("unknown-directive")),
    Trap("external-plugin", NOTE, "A stock CoreDNS does not start with this line; a CoreDNS that "
         "was built with the plugin does. Its arguments are not checked.",
         "Run coredns -plugins to see what yours has.", refused("external-plugin")),
    Trap("bad-zone", ERROR, "CoreDNS does not start: a key of a server block must be a domain name "
         "or a network, with a scheme in front and a port behind it as needed.",
         "Correct the key.", refused("bad-zone")),
    Trap("zone-twice", ERROR, "CoreDNS does not start: on one port and address a zone can be "
         "served once, unless all but one of its blocks have a view. The name with and without its "
         "last dot, a network and the reverse zones in it are the same zones.",
         "List the zone once, or put both blocks into one.", refused("zone-twice")),
    Trap("k8s-external", ERROR, "CoreDNS does not start: k8s_external needs the kubernetes plugin "
         "in its block.", "Use grpcdns --external-zones, and add those zones to the grpc block.",
         refused("k8s-external")),
    Trap("refused", ERROR, "CoreDNS does not start: the plugin does not accept its arguments.",
         "Correct the line.", refused("refused")),
)
# fmt: on
