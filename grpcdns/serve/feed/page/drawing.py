"""An explanation, drawn: a tree of boxes, and in words what a box cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlencode

from grpcdns.core.inspect import picture
from grpcdns.core.inspect.explanation import Explanation
from grpcdns.core.inspect.picture import Node
from grpcdns.serve.feed.inspector import Explained
from grpcdns.serve.feed.page.markup import Child, Markup, ago, h, name

_WORDS: Final = {
    picture.IN: "in the answer",
    picture.OUT: "left out",
    picture.USED: "looked at",
    picture.BEHIND: "behind the cluster IP",
    picture.MISSING: "not there",
}
_SIGNS: Final = {
    picture.IN: "✓",
    picture.OUT: "✗",
    picture.USED: "→",
    picture.BEHIND: "·",
    picture.MISSING: "∅",
}
_RECORDS: Final = 100


def drawing(found: Explained, now: float) -> Markup:
    why = found.explanation
    good = bool(why.answer or why.lookups)
    return h(
        "section",
        h("h2", name(why.name), f" {why.qtype}", id="answer"),
        _warning(found),
        h(
            "p",
            h("strong", why.rcode, class_="good" if good else "bad"),
            f", {len(why.answer)} record{'' if len(why.answer) == 1 else 's'}. Asks for {why.asks}",
            [", in zone ", name(why.zone)] if why.zone else None,
        ),
        _records(why),
        h("h3", "Made from" if good else "Looked at"),
        _tree(found.picture)
        if found.picture
        else h("p", "No object was looked up: the name alone decides."),
        _left_out(found),
        _held(why, now),
        _suggestions(why),
        h("p", f"The zone last changed {ago(now - why.serial)} ago.") if why.serial else None,
        aria_labelledby="answer",
    )


def _warning(found: Explained) -> Markup | None:
    if not found.missing:
        return None
    kinds = ", ".join(found.missing)
    return h("p", f"Not everything is listed yet ({kinds}): this may be wrong.", class_="problem")


def _records(why: Explanation) -> Child:
    lookups = list(dict.fromkeys(why.lookups))
    if not why.answer and not lookups:
        return None
    return [
        h("h3", "Answer"),
        h(
            "ul",
            [h("li", name(one)) for one in why.answer[:_RECORDS]],
            _more(why.answer),
            [h("li", name(one), " is looked up at the upstream") for one in lookups[:_RECORDS]],
            class_="records",
        ),
    ]


def _tree(nodes: Iterable[Node]) -> Markup:
    return h("ul", [_node(one) for one in nodes], class_="tree")


def _node(node: Node) -> Markup:
    box = h(
        "div",
        h("span", _SIGNS[node.state], class_="sign", aria_hidden="true"),
        h("span", node.kind, class_="kind"),
        " ",
        name(node.name),
        [" ", h("span", node.says, class_="says")] if node.says else None,
        " ",
        h("span", _WORDS[node.state] + (f": {node.reason}" if node.reason else ""), class_="state"),
        class_=f"node {node.state}",
    )
    below = h(
        "ul",
        [_node(one) for one in node.children],
        h("li", h("div", f"and {node.more} more", class_="node")) if node.more else None,
    )
    return h("li", box, below if node.children else None)


def _left_out(found: Explained) -> Child:
    """What is left out and has no box."""
    drawn = set(_titles(found.picture))
    rest = [one for one in found.explanation.left_out if (one.what, one.part) not in drawn]
    if not rest:
        return None
    return [
        h("h3", "Also left out"),
        h(
            "ul",
            [
                h("li", name(f"{one.what} {one.part}".strip()), f": {one.reason}")
                for one in rest[:_RECORDS]
            ],
            _more(rest),
        ),
    ]


def _titles(nodes: Iterable[Node], above: str = "") -> Iterable[tuple[str, str]]:
    for one in nodes:
        title = f"{one.kind} {one.name}"
        yield (above, one.name) if one.kind == "endpoint" else (title, "")
        yield from _titles(one.children, title)


def _held(why: Explanation, now: float) -> Child:
    if not why.held:
        return None
    return [
        h("h3", "Held"),
        h(
            "ul",
            [
                h("li", name(one.what), f" by --{one.by}, since {ago(now - one.since)}")
                for one in why.held[:_RECORDS]
            ],
            _more(why.held),
        ),
    ]


def _suggestions(why: Explanation) -> Child:
    if not why.suggestions:
        return None
    return [
        h("h3", "Did you mean"),
        h(
            "ul",
            [
                h("li", explain_link(one.name, one.qtype), f" {one.qtype}: {one.why}")
                for one in why.suggestions[:_RECORDS]
            ],
        ),
    ]


def _more(of: Sequence[object]) -> Markup | None:
    """How many of a list are not shown."""
    return h("li", f"and {len(of) - _RECORDS} more") if len(of) > _RECORDS else None


def explain_link(text: str, qtype: str) -> Markup:
    """The name, as a link to its explanation."""
    return h("a", name(text), href=f"/explain?{urlencode({'name': text, 'type': qtype})}")
