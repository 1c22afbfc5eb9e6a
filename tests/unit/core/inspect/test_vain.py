"""Why a name is asked in vain, in one line, and what may have been meant."""

from __future__ import annotations

import pytest

from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Namespace, Service
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import TYPES, question_of
from grpcdns.core.inspect.vain import why_in_vain
from tests.system.cli.objects import OBJECTS, index

DOWN = (
    Service("default", "down", cluster_ips=("None",)),
    EndpointSlice("default", "down-a", "down", endpoints=(Endpoint(("10.9.0.1",), False),)),
    Service("default", "bare", cluster_ips=("None",)),
    Namespace("", "kube-system"),
)
SEARCH = "search path: {} labels too many ({})"
OWN = SEARCH.format(4, "default.svc.cluster.local")
SVC = SEARCH.format(3, "svc.cluster.local")
ZONE = SEARCH.format(2, "cluster.local")
WEB = "web.default.svc.cluster.local."
IN = "svc.cluster.local"
NONE = "no records for"


@pytest.mark.parametrize(
    ("name", "reason", "suggestion"),
    [
        (f"wep.default.{IN}", "no such Service: default/wep", WEB),
        (f"web.shop.{IN}", "no such Service: shop/web", WEB),
        (f"web.nope.{IN}", "no such Namespace: nope", WEB),
        (f"down.default.{IN}", "no ready endpoint", ""),
        (f"bare.default.{IN}", "no ready endpoint: the Service has no EndpointSlice", ""),
        (f"x.db.default.{IN}", "no such endpoint x of Service default/db",
         f"_http._tcp.db.default.{IN}."),
        (f"_no._tcp.web.default.{IN}", "no such port no over tcp of Service default/web",
         f"_http._tcp.{WEB}"),
        # What a search path makes of a name outside, and of a full name.
        (f"www.example.com.default.{IN}", OWN, "www.example.com."),
        (f"www.example.com.{IN}", SVC, "www.example.com."),
        ("www.example.com.cluster.local", ZONE, "www.example.com."),
        ("example.com.cluster.local", ZONE, "example.com."),
        (f"{WEB}default.{IN}", OWN, WEB),
        (f"{WEB}{IN}", SVC, WEB),
        (f"web.default.default.{IN}", OWN, WEB),
        (f"web.default.svc.kube-system.{IN}", SEARCH.format(4, f"kube-system.{IN}"), WEB),
        # Two labels may also be an endpoint of a Service, or a Service of a namespace.
        (f"example.com.default.{IN}", f"no such Service: default/com; or {OWN}", ""),
        (f"example.com.{IN}", f"no such Namespace: com; or {SVC}", ""),
        ("www.example.com", "in none of the zones", ""),
        ("web.default", "in none of the zones", WEB),
        (IN, "it is above the names of all Services", ""),
        (f"default.{IN}", "no records for the namespace default", ""),
        (f"1-2-3-4.default.pod.{IN[4:]}", f"{NONE} the Pod at 1-2-3-4 in namespace default", ""),
        ("9.9.9.9.in-addr.arpa", "no Service or endpoint has this address", ""),
        (f"web.default.{IN}", "", ""),
    ],
)  # fmt: skip
def test_reasons(name: str, reason: str, suggestion: str) -> None:
    policy = Policy()
    made = index(policy, [*OBJECTS, *DOWN])
    qtype = "PTR" if name.endswith("arpa") else "A"
    found = why_in_vain(question_of(name_from_text(name), TYPES[qtype]), made, Zones(policy))
    assert (found.reason, found.suggestion) == (reason, suggestion)
    assert not found.other_type


def test_another_type() -> None:
    policy = Policy()
    question = question_of(name_from_text(f"cart.shop.{IN}"), TYPES["AAAA"])
    found = why_in_vain(question, index(policy), Zones(policy))
    assert (found.reason, found.other_type) == ("it has A records, and no AAAA", "A")
