"""Records as a client reads them: packed by our own packer, read by dnslib.

The commands that show what grpcdns answers print these, so that each run checks the packer with a
reader that shares no code with it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from grpcdns.cli import NotDone
from grpcdns.core.dns.wire import HEADER, NOERROR, Packer, Question, Record, reply_head
from grpcdns.dnsclient.messages import BadMessage, Parsed, parse_message


def read_back(question: Question, records: Sequence[Record]) -> list[Parsed]:
    """The records, in order, from as many messages as hold them.

    Raises NotDone when other records are read than were packed: a fault of grpcdns.
    """
    found: list[Parsed] = []
    left = list(records)
    while left:
        packer = Packer(question)
        count = packer.pack(left)
        found += _read(question, packer, count)
        left = left[count:]
    for record, parsed in zip(records, found, strict=True):
        if record.to_text() != parsed.to_text():
            raise NotDone(
                f"packed {record.to_text()!r}, but dnslib reads {parsed.to_text()!r}: "
                "this is a fault of grpcdns, please report it"
            )
    return found


def _read(question: Question, packer: Packer, count: int) -> list[Parsed]:
    head = reply_head(bytes(HEADER), NOERROR, True, (1, count, 0, 0))
    asked = question.wire + struct.pack("!2H", question.qtype, question.qclass)
    try:
        message = parse_message(head + asked + packer.tail)
    except BadMessage as error:
        raise NotDone(
            f"dnslib cannot read what was packed ({error}): "
            "this is a fault of grpcdns, please report it"
        ) from error
    if message.surplus or len(message.answer) != count or not count:
        raise NotDone(
            f"packed {count} records, but dnslib reads {len(message.answer)} and "
            f"{message.surplus} octets more: this is a fault of grpcdns, please report it"
        )
    return message.answer
