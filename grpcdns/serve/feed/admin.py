"""``--admin``: the page, and the same as JSON under ``/api/``. It reads and changes nothing.

Nobody is asked who they are, so only this machine reaches it (`config.values.is_private`), unless
``--admin-anywhere``. What protects it from other pages in the reader's browser:

- The Host must be an address, ``localhost`` or the host of ``--admin``: a name that somebody else
  makes resolve to us (DNS rebinding) is refused.
- What the browser says another site asked for is refused, unless it is a link that was followed.
- No CORS header: another site's script cannot read a response. No frame may hold the page.
- The Content-Security-Policy allows our own script and style sheet, and nothing inline.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import msgspec

from grpcdns.core.dns.names import BadName
from grpcdns.serve import status
from grpcdns.serve.feed.http import HttpServer, Request, Response
from grpcdns.serve.feed.inspector import Explained, read_question
from grpcdns.serve.feed.page.page import explain_page, status_page
from grpcdns.serve.feed.status import StatusKeeper

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_ASSETS: Final = {
    "app.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_LONGEST: Final = 1100
"""Characters of a name that is asked about: 255 octets, each as ``\\DDD``."""


def make_server(address: str, keeper: StatusKeeper) -> HttpServer:
    """The server of ``--admin``, not started yet. Raises `UserError`."""
    host = "" if address.startswith("unix:") else address.rpartition(":")[0]
    refuse = partial(refusal, host=host)
    return HttpServer(address, Admin(keeper).routes(), "admin", refuse, HEADERS)


class Admin:
    """The routes."""

    def __init__(self, keeper: StatusKeeper) -> None:
        self._keeper = keeper

    def routes(self) -> dict[str, Callable[[str], Response]]:
        folder = Path(__file__).parent / "page" / "assets"
        assets = {
            f"/{name}": partial(_asset, Response(200, (folder / name).read_text(), kind))
            for name, kind in _ASSETS.items()
        }
        return {
            "/": self._page,
            "/explain": self._explain_page,
            "/api/status": self._status,
            "/api/explain": self._explain,
            **assets,
        }

    def _page(self, _query: str) -> Response:
        return Response(200, status_page(self._keeper.status()), _HTML)

    def _status(self, _query: str) -> Response:
        return Response(200, status.to_json(self._keeper.status()).decode(), _JSON)

    def _explain_page(self, query: str) -> Response:
        name, qtype = _asked(query)
        found = self._explained(name, qtype)
        code = 400 if isinstance(found, str) else 200
        return Response(code, explain_page(name, qtype, found, self._keeper.status()), _HTML)

    def _explain(self, query: str) -> Response:
        found = self._explained(*_asked(query))
        if isinstance(found, str):
            return Response(400, msgspec.json.encode({"error": found}).decode(), _JSON)
        data = {"schema": status.SCHEMA, **msgspec.to_builtins(found)}
        return Response(200, msgspec.json.encode(data).decode(), _JSON)

    def _explained(self, name: str, qtype: str) -> Explained | str:
        """The explanation, or what is wrong with the question."""
        if len(name) > _LONGEST:
            return "the name is too long"
        try:
            return self._keeper.inspector.explain(read_question(name, qtype))
        except BadName as error:
            return str(error)


def refusal(request: Request, host: str) -> Response | None:
    """Whether, and why, a request is refused. ``host``: that of ``--admin``."""
    given = request.headers.get("host", "")
    if not _is_ours(given, host):
        return Response(403, "this Host is none of ours: use an address or localhost\n")
    site = request.headers.get("sec-fetch-site", "none")
    if site in ("none", "same-origin"):
        return None
    mode = request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-dest")
    if mode == ("navigate", "document"):
        return None
    return Response(403, "not for other sites\n")


def _is_ours(given: str, host: str) -> bool:
    """Whether a Host header names us by address, as localhost or as ``--admin`` does."""
    name, colon, port = given.rpartition(":")
    if not colon or given.endswith("]"):
        name, port = given, ""
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.lower() in ("localhost", host.lower()) and name:
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")) is not None
    except ValueError:
        return False


def _asked(query: str) -> tuple[str, str]:
    """Name and type; "" and A for what is missing."""
    fields = parse_qs(query, max_num_fields=10)
    return fields.get("name", [""])[0], fields.get("type", ["A"])[0]


def _asset(response: Response, _query: str) -> Response:
    return response
