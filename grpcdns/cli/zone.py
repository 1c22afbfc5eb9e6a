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

from grpcdns.cli import listed, servers
from grpcdns.cli.output import print_json
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
    parser.add_argument("--json", action="store_true", help="print JSON, one record per line")
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    found = listed.read(listed.settings(args).config, servers.seconds(args))
    zone = _zone(args.zone, found.zones)
    found.index.serials = [int(found.heard)] * len(found.index.serials)
    records = read_back(question_of(zone, ANY), records_of_zone(zone, found.index, found.zones))
    if args.json:
        for record in records:
            print_json(_data(record))
        return 0
    print(f"; {name_to_text(zone)} of {found.where}, {len(records)} records")
    if not any(record.rtype == NS for record in records):
        print(f"; no NS: there is no DNS Service {found.config.dns_service} (--dns-service)")
    for record in records:
        print(record.to_text())
    return 0


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


def _data(record: Parsed) -> dict[str, str | int]:
    name, ttl, _, rtype, data = record.fields()
    return {"name": name, "ttl": int(ttl), "type": rtype, "data": data}
