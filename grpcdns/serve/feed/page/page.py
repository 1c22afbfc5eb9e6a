"""The two pages: the status, and why a name gets its answer."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from grpcdns.core.dns.wire import TYPES
from grpcdns.serve.feed.inspector import Explained
from grpcdns.serve.feed.page.drawing import drawing, explain_link
from grpcdns.serve.feed.page.markup import (
    Child,
    Markup,
    ago,
    clock,
    document,
    duration,
    h,
    name,
)
from grpcdns.serve.feed.page.plots import plots
from grpcdns.serve.feed.page.tables import Column, table
from grpcdns.serve.status import (
    AskedName,
    KindState,
    ObjectChange,
    Process,
    Reached,
    Status,
    VainName,
)

_CACHED: Final = (
    "Only what misses CoreDNS's cache comes here: a count says how often CoreDNS asked, not how"
    " often clients did."
)
_CHANGES: Final = 30


def status_page(status: Status) -> str:
    return _document(
        "grpcdns",
        [
            _live("state", None, _state(status)),
            _form("", "A"),
            _live("vain", "Asked in vain", _vain(status)),
            _live("queries", "Queries", plots(status.history, status.at)),
            _live("processes", "Processes", _processes(status)),
            _live("cluster", "Cluster", _cluster(status)),
            _live("changes", "What changed lately", _changes(status)),
            _live("asked", "Asked most", _asked(status)),
        ],
        status,
    )


def explain_page(text: str, qtype: str, found: Explained | str, status: Status) -> str:
    """``found``: the explanation, or why there is none."""
    shown = (
        h("p", found, class_="problem", role="alert")
        if isinstance(found, str)
        else drawing(found, status.at)
    )
    back = h("p", h("a", "Back to the status", href="/"))
    data = f"/api/explain?{urlencode({'name': text, 'type': qtype})}"
    return _document("grpcdns explain", [_form(text, qtype), shown, back], status, data)


def _document(title: str, body: Child, status: Status, data: str = "/api/status") -> str:
    """``data``: where the same is as JSON."""
    return document(
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="color-scheme", content="light dark"),
            h("title", title),
            h("link", rel="icon", href="/icon.svg", type="image/svg+xml"),
            h("link", rel="stylesheet", href="/style.css"),
            h("script", src="/app.js", defer=True),
        ),
        h(
            "body",
            h("a", "Skip to the content", href="#main", class_="skip"),
            h(
                "header",
                h("h1", h("a", "grpcdns", href="/")),
                h("p", f"{status.version} {status.revision[:12]}".strip(), class_="quiet"),
                h("p", class_="live", id="live", role="status"),
            ),
            h("main", body, id="main"),
            h(
                "footer",
                h("p", "Read-only. The same as JSON: ", h("a", data.partition("?")[0], href=data)),
            ),
        ),
    )


def _live(key: str, title: str | None, *children: Child) -> Markup:
    """A part that the script refreshes."""
    heading = h("h2", title, id=f"{key}-title") if title else None
    labelled = f"{key}-title" if title else None
    label = None if title else "State"
    inner = h("div", *children, id=key, data_live=True)
    return h("section", heading, inner, aria_labelledby=labelled, aria_label=label)


def _form(text: str, qtype: str) -> Markup:
    options = [h("option", one, selected=one == qtype) for one in TYPES]
    field = h(
        "input", id="name", name="name", value=text, required=True, autocapitalize="none",
        autocomplete="off", spellcheck="false", placeholder="web.default.svc.cluster.local",
    )  # fmt: skip
    return h(
        "form",
        h("label", "Name or address", for_="name"),
        field,
        h("label", "Type", for_="type"),
        h("select", options, id="type", name="type"),
        h("button", "Explain", type="submit"),
        action="/explain",
        method="get",
        role="search",
        aria_label="Explain a name",
    )


# -- the parts


def _state(status: Status) -> Child:
    if not status.problems:
        line = h("p", "All is well", class_="verdict good")
    else:
        count = len(status.problems)
        words = f"{count} problem{'' if count == 1 else 's'}"
        served = "a worker serves" if status.ready else "no worker serves"
        line = h("p", f"{words}; {served}", class_="verdict bad")
    problems = [h("li", one, class_="problem") for one in status.problems[:20]]
    return [
        line,
        h("ul", problems) if problems else None,
        h("p", "As of ", clock(status.at), " UTC", class_="quiet"),
    ]


def _processes(status: Status) -> Child:
    now = status.at

    def last_start(one: Process) -> str:
        return f"{ago(now - one.since)} ago" if one.pid else "-"

    return table(
        "Processes",
        (
            Column("Process", lambda one: one.name),
            Column("State", lambda one: _word(one.state, one.state in ("running", "serving"))),
            Column("Restarts", lambda one: one.restarts, short=True),
            Column("Started", last_start, short=True),
            Column("CPU", lambda one: f"{one.cpu:.1f} s", short=True),
            Column("Memory", lambda one: f"{one.memory / (1 << 20):.0f} MB", short=True),
        ),
        status.processes,
    )


def _cluster(status: Status) -> Child:
    api = status.api
    words = {
        "up": "answers",
        "lost": "does not answer",
        "starting": "is being listed",
        "restored": "has not answered yet: answers are from a snapshot",
    }
    heard = "" if api.heard is None else f"; last heard {ago(api.heard)} ago"
    since = f" since {ago(status.at - api.lost_since)}" if api.lost_since else ""
    saved = f" of {ago(status.at - api.restored)} ago" if api.restored else ""
    held = f"; {api.held_services} Services are held" if api.held_services else ""

    def state(one: KindState) -> Child:
        if one.problem:
            return _word(one.problem, good=False)
        return _word("listed" if one.listed else "not listed yet", one.listed)

    kinds = table(
        "Kinds",
        (
            Column("Kind", lambda one: one.name),
            Column("Objects", lambda one: f"{one.objects:,}", short=True),
            Column("State", state),
            Column(
                "Last event",
                lambda one: "never" if one.heard is None else f"{ago(one.heard)} ago",
                short=True,
            ),
        ),
        status.kinds,
    )
    line = [name(api.source), " ", _word(words[api.state], api.state == "up")]
    return [h("p", line, f"{since}{saved}{heard}{held}."), kinds]


def _vain(status: Status) -> Child:
    shown = table(
        "Names asked in vain",
        (
            Column("Name", lambda one: [explain_link(one.name, one.type), f" {one.type}"]),
            Column("Outcome", lambda one: one.outcome, short=True),
            Column("Times", lambda one: f"{one.count:,}", short=True),
            Column("Why", _why),
        ),
        status.names.vain,
    )
    return [
        h("p", f"In the last {ago(status.at - status.names.since)}. {_CACHED}", class_="quiet"),
        shown if status.names.vain else h("p", "None."),
    ]


def _why(one: VainName) -> Child:
    if not one.reason:
        return "..."
    meant = [". Did you mean ", explain_link(one.suggestion, one.type), "?"]
    return [one.reason, meant if one.suggestion else None]


def _asked(status: Status) -> Child:
    columns: tuple[Column[AskedName], ...] = (
        Column("Name", lambda one: [explain_link(one.name, one.type), f" {one.type}"]),
        Column("Times", lambda one: f"{one.count:,}", short=True),
    )
    if not status.names.asked:
        return h("p", "None.")
    return [h("p", _CACHED, class_="quiet"), table("Names asked most", columns, status.names.asked)]


def _changes(status: Status) -> Child:
    if not status.changes:
        return h("p", "Nothing since the start.")
    return table(
        "Changes",
        (
            Column("When", lambda one: [ago(status.at - one.at), " ago"]),
            Column("Object", lambda one: [one.kind, " ", name(one.key)]),
            Column("What", _what),
            Column("Answered", lambda one: [_reached(worker) for worker in one.workers]),
        ),
        status.changes[:_CHANGES],
    )


def _what(one: ObjectChange) -> Child:
    if one.what == "changed":
        same = one.before == one.after
        words = one.after if same else f"{one.before} → {one.after}"
        return [f"{one.what}: ", name(words), [" (", name(one.detail), ")"] if one.detail else None]
    said = one.after or one.before
    return [one.what, [": ", name(said)] if said else None]


def _reached(one: Reached) -> Markup:
    how = {"change": "", "list": " with a list"}.get(one.how)
    text = one.how if how is None else f"after {duration(one.seconds)}{how}"
    return h("div", h("span", f"{one.worker} ", class_="quiet"), text)


def _word(text: str, good: bool) -> Markup:
    return h("span", text, class_="good" if good else "bad")
