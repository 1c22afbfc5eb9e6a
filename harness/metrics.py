"""The HTTP pages that grpcdns serves at ``--metrics``: /metrics, /readyz, /healthz."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import NamedTuple


class Page(NamedTuple):
    """A response, error responses included."""

    status: int
    body: str


def get(address: object, path: str) -> Page:
    """GET http://ADDRESS/PATH; raises OSError when nothing listens there."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5.0) as page:
            return Page(page.status, page.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, error.read().decode())


def samples(address: object) -> dict[str, float]:
    """All samples of /metrics: name with labels, as written there -> value."""
    lines = get(address, "/metrics").body.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def sample(address: object, name: str) -> float:
    """One sample of /metrics; raises KeyError when there is none of that name and labels."""
    return samples(address)[name]
