"""The rows on the pure core: in any case of letters, with and without EDNS, from the memo too."""

from __future__ import annotations

from functools import cache

import pytest

from grpcdns.config.options import Config
from grpcdns.core.handler import Handler
from tests.conformance.case import Case, expected, summary
from tests.conformance.cluster import OBJECTS
from tests.conformance.groups import GROUPS
from tests.conformance.loading import handler_of, lists_of, reply_to
from tests.conformance.outside import OUTSIDE
from tests.conformance.reply import query, read_reply

ROWS = [
    pytest.param(group.config, case, id=f"{group.title}: {case.name()}")
    for group in GROUPS
    for case in group.rows
]


@cache
def handler(config: Config) -> Handler:
    return handler_of(lists_of(OBJECTS), config.policy())


@pytest.mark.parametrize(("config", "case"), ROWS)
def test_row(config: Config, case: Case) -> None:
    asked = handler(config)
    want = expected(case, config.policy())
    for _ in ("built", "from the memo"):
        for edns in (False, True):
            reply = reply_to(asked, query(case.qname, case.qtype, edns=edns), OUTSIDE)
            assert summary(reply) == want
            assert reply.edns == edns
            assert reply.flags - {"aa"} == {"qr", "rd"}


@pytest.mark.parametrize(("config", "case"), ROWS)
def test_case_of_letters(config: Config, case: Case) -> None:
    """The reply has the name in the case it was asked in."""
    asked = handler(config)
    plain = reply_to(asked, query(case.qname, case.qtype), OUTSIDE)
    letters = enumerate(case.qname)
    mixed = "".join(letter.upper() if at % 2 else letter for at, letter in letters)
    for name in (case.qname.upper(), mixed):
        reply = reply_to(asked, query(name, case.qtype), OUTSIDE)
        assert reply.folded() == plain.folded()
        assert reply.question is not None
        assert reply.question[0].replace("\\", "") == name
        owners = {record.split(" ")[0] for record in reply.answer}
        assert all(owner == name for owner in owners if owner.lower() == name.lower())


@pytest.mark.parametrize("length", range(12, len(query("svc1.testns.svc.cluster.local.", "A"))))
def test_cut_short(length: int) -> None:
    raw = query("svc1.testns.svc.cluster.local.", "A")[:length]
    reply = read_reply(handler(Config()).handle(raw) or b"")  # type: ignore[arg-type]
    assert (reply.rcode, reply.id, reply.sections) == ("FORMERR", 4711, ((), (), ()))
