"""The DNS outside the cluster, for our look-ups and for CoreDNS's.

``ZONE`` is a zone file for CoreDNS's ``file`` plugin; ``OUTSIDE`` is what an upstream with it
answers. Every look-up in ``example.org`` fails.
"""

from __future__ import annotations

from typing import Final

from grpcdns.core.dns.names import address_from_text, name_from_text
from grpcdns.core.dns.wire import AAAA, CNAME, A, Record
from tests.conformance.loading import Outside

ZONE: Final = """\
$ORIGIN example.net.
@ 60 IN SOA ns.example.net. hostmaster.example.net. 1 7200 1800 86400 60
www 60 IN A 192.0.2.80
www 60 IN AAAA 2001:db8:80::80
alias 60 IN CNAME www
"""


def _address(name: str, text: str) -> Record:
    packed = address_from_text(text) or b""
    return Record(name_from_text(name), A if len(packed) == 4 else AAAA, 60, (packed,))


_WWW: Final = "www.example.net."
_ALIAS: Final = Record(name_from_text("alias.example.net."), CNAME, 60, (name_from_text(_WWW),))
_A, _AAAA = _address(_WWW, "192.0.2.80"), _address(_WWW, "2001:db8:80::80")
OUTSIDE: Final[Outside] = {
    (_WWW, A): [_A],
    (_WWW, AAAA): [_AAAA],
    ("alias.example.net.", A): [_ALIAS, _A],
    ("alias.example.net.", AAAA): [_ALIAS, _AAAA],
}
