"""Print the records of a zone as a zone file, as they would be answered now.

The cluster is read once: from --manifests, or through the API (--kubeconfig, or the Pod's service
account). ZONE is one of --zones or --external-zones; by default the first that is no reverse zone.
The records are packed as for a reply and read back by another library: a difference is an error.

Examples:
    grpcdns zone --kubeconfig ~/.kube/config
    grpcdns zone 10.in-addr.arpa --zones cluster.local,10.0.0.0/8 --manifests cluster/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from grpcdns.cli import listed, output, servers
from grpcdns.cli.documents import Zone, ZoneRecord
from grpcdns.cli.readback import read_back
from grpcdns.config import values
from grpcdns.config.options import UserError
from grpcdns.core.answers.policy import Zones
from grpcdns.core.dns.names import Name, name_from_text, name_to_text
from grpcdns.core.dns.wire import ANY, NS, question_of
from grpcdns.core.inspect.zone import records_of_zone
from grpcdns.dnsclient.messages import Parsed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("zone", metavar="ZONE", nargs="?", help="the zone [the first forward one]")
    parser.add_argument(
        "--timeout", metavar="DURATION", default="30s", help="for reading the cluster [30s]"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the records alone, each as JSON on a line"
    )
    output.add_arguments(parser, json=False)
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    found = listed.read(listed.settings(args).config, servers.seconds(args), args.output)
    zone = _zone(args.zone, found.zones)
    found.index.serials = [int(found.heard)] * len(found.index.serials)
    records = read_back(question_of(zone, ANY), records_of_zone(zone, found.index, found.zones))
    if args.json:
        output.write("".join(output.as_text(_record(one), output.JSON) for one in records))
        return 0
    remarks = []
    if not any(record.rtype == NS for record in records):
        why = f"there is no DNS Service {found.config.dns_service} (--dns-service)"
        remarks.append(f"no NS: {why}")
    document = Zone(
        zone=name_to_text(zone),
        source=found.where,
        remarks=remarks,
        records=list(map(_record, records)),
    )
    output.emit(args, document, lambda _: output.write(_text(document, records)))
    return 0


def _text(document: Zone, records: Sequence[Parsed]) -> str:
    """A zone file."""
    head = f"{document.zone} of {document.source}, {len(records)} records"
    comments = [f"; {output.printable(line)}" for line in (head, *document.remarks)]
    return "".join(f"{line}\n" for line in (*comments, *(one.to_text() for one in records)))


def _zone(text: str | None, zones: Zones) -> Name:
    if text is None:
        return zones.primary
    known = {**zones.cluster, **zones.external}
    try:
        name = name_from_text(values.zone(text)[0])
    except ValueError as error:
        raise UserError(f"{text}: {error}") from error
    if name not in known:
        shown = ", ".join(sorted(name_to_text(zone) for zone in known))
        raise UserError(f"{text} is none of the zones: {shown}")
    return name


def _record(record: Parsed) -> ZoneRecord:
    name, ttl, _, rtype, data = record.fields()
    return ZoneRecord(name=name, ttl=int(ttl), type=rtype, data=data)
