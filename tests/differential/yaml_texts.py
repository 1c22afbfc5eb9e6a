"""Manifest texts: a corpus made by hand, and texts at random."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Final

SCALARS: Final = (
    "a", "x y", "=", "<<", "~", "null", "Null", "NULL", "nul", "true", "True", "TRUE", "tRUE",
    "yes", "Yes", "no", "NO", "on", "Off", "y", "n", "Y", "N", "0", "1", "-1", "+1", "007", "08",
    "09.5", "0x1F", "0X1f", "-0x1f", "0o17", "0O17", "0b101", "0B11", "-0b11", "+0b1", "0b12",
    "0b", "0x", "1_000", "_1", "1_", "1__0", "0x_1f", "0_7", "1.5", "-1.5", "+1.5", "1.", ".5",
    "-.5", "+.5", ".5_0", "._5", ".", "..", "...x", "-", "--", "---x", "+", "1e3", "1E3", "1e+3",
    "1e-3", "1e", "e3", "1.5e3", ".5e3", "1e400", "-1e400", ".1e400", "1e-400", "80.0", "8e1",
    "inf", "nan", "NaN", "Infinity",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "+18446744073709551615",
    "123456789012345678901234567890", "1e20", "1e21", "1e22", "100000000000000000000.0",
    "22:30", "1:2:3", "190:20:30", "190:20:30.15", "52:54:00:12:34:56", "12:34", "1:60",
    "2001:10:20:30:40:50:1:2", "::1", "fd00::1", "10.0.0.1", "1.2.3", "1.10", "0.0.0.0",
    "2026-01-01", "2026-1-1", "2026-01-01T00:00:00Z", "2026-01-01t00:00:00Z", "2026-13-45",
    "2026-01-01 00:00:00", "2026-01-01T00:00:00+01:00", "2026-", "2026-01", "0x1p4", "0x1.8p1",
    "1_0.5", "1_0.5_0e1_0", "0.1_0", "é", "日本", "\u2028x", "a: b", "a:b", "a #b", "a#b", "#c",
    "- a", "-a", "? a", "?a", "[a", "a]", "{a", "a}", "a,b", ",a", "&a", "*a", "!a", "|", ">",
    "|a", "%a", "@a", "`a", "'a", "a'b", '"a', 'a"b', "\\n", "a\\", "", " ", "http://x:80/y?z=1",
)  # fmt: skip
"""What may stand where a value may, quoted or not; some of it is a mistake there."""

TAGS: Final = ("!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary",
               "!!map", "!!seq", "!!merge", "!foo", "!", "!<tag:yaml.org,2002:str>", "!!foo",
               "!e!x")  # fmt: skip
SPECIAL: Final = "-:?,[]{}#&*!|>'\"%@` \t\n\r.0123456789abyn~<=_+\\\u0085\u2028é\x07\x00"

CORPUS: Final[dict[str, str]] = {
    "values of YAML 1.1": "kind: A\na: =\nb: <<\nc: yes\nd: off\ne: y\nf: 22:30\n",
    "a MAC address": "kind: A\nmetadata: {annotations: {mac: 52:54:00:12:34:56}}\n",
    "IPv6 of decimal groups": "kind: A\nip: 2001:10:20:30:40:50:1:2\n",
    "octal": "kind: A\na: 0644\nb: 0o644\nc: 08\nd: 0b11\ne: 0x1F\n",
    "an anchor set twice": "kind: A\na: &x 1\nb: *x\nc: &x 2\nd: *x\n",
    "an anchor in itself": "kind: A\na: &x [*x]\n",
    "an anchor that is not there": "kind: A\na: *x\n",
    "an anchor of another document": "kind: A\na: &x 1\n---\nkind: B\na: *x\n",
    "merge": "kind: A\na: &x {b: 1, c: 2}\nd:\n  c: 0\n  <<: *x\n  b: 3\n",
    "merge of several": "kind: A\na: &x {b: 1}\ne: &y {b: 2, c: 3}\nd: {<<: [*x, *y]}\n",
    "merge at the top": "a: &x {kind: A}\n<<: *x\n",
    "merge of no mapping": "kind: A\na: {<<: 1}\n",
    "merge of a list by alias": "kind: A\na: &x [{b: 1}]\nd: {<<: *x}\n",
    "merge, quoted": 'kind: A\na: {"<<": {b: 1}}\n',
    "a key twice": "kind: A\na: 1\na: 2\n",
    "keys that are no text": "kind: A\n1: a\n1.5: b\ntrue: c\nyes: d\n0x10: e\n2026-01-01: f\n",
    "keys in floats": "kind: A\n1e7: a\n12345678.5: b\n0.1: c\n1e-7: d\n.inf: e\n1.0: f\n",
    "a key of nothing": "kind: A\n~: 1\n",
    "a key too large": "kind: A\n18446744073709551615: 1\n",
    "a key that is a list": "kind: A\n[a]: 1\n",
    "a key by alias": "kind: A\na: &x b\n*x : 1\n",
    "tags": "kind: !!str A\na: !!str 1\nb: !!int '1'\nc: !!float 1\nd: !!binary aGk=\ne: !x 1\n",
    "a tag that cannot be": "kind: A\na: !!int x\n",
    "a mark at each document": "\ufeffkind: A\n---\n\ufeffkind: B\n---\n\ufeff\nkind: C\n",
    "a mark before several keys": "a: 1\nkind: A\n---\n\ufeffkind: B\na: 1\nb: 2\n",
    "a mark in the middle": "kind: A\na: \ufeffb\n",
    "a mark after a document": "kind: A\n\ufeff---\nkind: B\n",
    "documents": "---\nkind: A\n---\n---\n# nothing\n---\nkind: B\n...\n---\nkind: C\n",
    "a document's end": "kind: A\n...\nkind: B\n---\nkind: C\n",
    "a document's end after a separator": "kind: A\n---\n---\n# x\n...\n---\nkind: C\n",
    "a line break of YAML before a separator": "---\n\u2028---\nkind: A\n---\nkind: B\n",
    "separators": "kind: A\n--- # yes\nkind: B\n---   \nkind: C\n",
    "a separator with text": "kind: A\n--- x\nkind: B\n",
    "a separator with a value": "kind: A\n--- {kind: B}\n",
    "four dashes": "kind: A\n----\nkind: B\n",
    "a separator in a text": "kind: A\na: |\n  b\n  ---\n  c\n",
    "a separator in a quoted text": "kind: A\na: 'b\n---\nc'\n",
    "a directive": "%YAML 1.1\n---\nkind: A\n",
    "line ends of DOS": "kind: A\r\na: |\r\n  b\r\n  c\r\n---\r\nkind: B\r\n",
    "line ends of old": "kind: A\ra: 1\r",
    "a tab": "kind: A\na:\n\t- 1\n",
    "a tab after a colon": "kind:\tA\n",
    "block texts": "kind: A\na: |+\n  x\n\n  y\n\nb: >-\n  x\n  y\n\n  z\nc: |2\n    x\n",
    "a block text at the end": "kind: A\na: >\n  x",
    "several lines": "kind: A\na: x\n  y\n\n  z\nb: 'x\n  y'\nc: \"x \\\n  y\\n\"\n",
    "escapes": 'kind: A\na: "\\x41\\u00e9\\U0001F600\\0\\e\\N\\_\\L"\n',
    "a quote escaped": "kind: A\na: \"it\\'s \\'\"\n",
    "lists at one depth": "kind: A\na:\n- 1\n- 2\nb:\n  - c: 1\n    d: 2\n",
    "flow": "kind: A\na: {b: [1, 'x', {c: d}], e: , f}\ng: [a: 1, b]\nh: {a: http://x, b:c}\n",
    "colons at the end in flow": "kind: A\nips: [fd00::, 'x', fd00:1::]\nb: {c: ::, d: [a:]}\n",
    "flow over lines": "kind: A\na: {\n b: 1,\n c: [\n 2\n]\n}\n",
    "complex keys": "kind: A\n? b\n: 1\n? c\n",
    "nothing": "",
    "only a comment": "# nothing\n",
    "only null": "null\n---\nkind: A\n---\n~\n",
    "no mapping": "a\n---\n- b\n---\n1\n---\nkind: A\n",
    "a List": "apiVersion: v1\nitems:\n- kind: A\n  b: 1\n- kind: B\nkind: List\n",
    "a List in a List": "kind: List\nitems:\n- kind: List\n  items:\n  - kind: A\n- kind: B\n",
    "a List of nothing": "kind: List\nitems:\n---\nkind: List\nitems: []\n",
    "a typed List": "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n- {}\n",
    "infinity": "kind: A\na: .inf\n",
    "numbers too large": "kind: A\na: .1e400\nb: .1e40_0\nc: 1_0e400\nd: -1_0e40_0\n",
    "not a number": "kind: A\na: .nan\n",
    "one JSON object": '{"kind": "A", "a": [1, 2.5, null, true, "x"]}',
    "JSON, one after another": '{"kind": "A"}{"kind": "B"}\n {"kind": "C"}',
    "JSON, one a line": '{"kind": "A"}\n{"kind": "B"}\n',
    "JSON, several lines each": '{\n "kind": "A"\n}\n{\n "kind": "B"\n}\n',
    "JSON, then what is none": '{"kind": "A"}\n{"kind": "B"}\n{"kind": C}\n',
    "JSON, then YAML": '{"kind": "A"}\n---\nkind: B\n',
    "JSON, then YAML without a line": '{"kind": "A"}\nkind: B\n',
    "a tab before JSON in documents": 'kind: A\n---\n\t{"kind": "B"}\n',
    "a tab after JSON in documents": 'kind: A\n---\n{"kind": "B"}\n \t\n',
    "line breaks of YAML in JSON": 'kind: A\n---\n{"kind": "\x85B\u2028C\u2029", "a": "\x85"}\n',
    "tabs in JSON in documents": 'kind: A\n---\n{\n\t"kind":\n\t"B"\n\t}\t\n',
    "JSON in documents": '{"kind": "A"}\n---\n{"kind": "B"}\n---\n{"kind": "C"}\n',
    "two JSON, then YAML": '{"kind": "A"}\n{"kind": "B"}\n---\nkind: C\n',
    "YAML, then JSON": 'kind: A\n---\n{"kind": "B"}\n',
    "a YAML flow": "{kind: A, b: c}\n",
    "a YAML flow, then more": "{kind: A}\n---\nkind: B\n",
    "a Helm template": "{{- if .Values.a }}\nkind: A\n{{- end }}\n",
    "a Helm value": "kind: A\na: {{ .Values.a }}\n",
    "JSON with a mark": '\ufeff{"kind": "A"}',
    "a JSON List": '{"kind": "List", "items": [{"kind": "A"}, {"kind": "List", "items": []}]}',
    "JSON numbers": '{"kind": "A", "a": 80.0, "b": 8e1, "c": 1E400, "d": -0, "e": 0.1}',
    "JSON, a key twice": '{"kind": "A", "a": 1, "a": 2}',
    "control characters": "kind: A\na: \x07\n",
    "a form feed": "kind: A\n\x0ca: 1\n",
    "no newline at the end": "kind: A\n---",
    "dashes at the start": "---\n---\nkind: A\n",
    "much of little": "kind: A\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{one}'] * 9)}]\n" for one, name in pairwise("abcdefgh")),
    "aliases within bounds": "kind: A\na: &a [1, 2]\n" + "".join(
        f"k{n}: *a\n" for n in range(40)),
}  # fmt: skip


_MARKS: Final = "&*!|>%@`'\"[]{},#?-: "
"""What a scalar without quotes had better not begin with."""


def random_text(random: Random) -> str:
    """A file of one to three documents, most of them right."""
    parts = ["".join(_top(random)) for _ in range(random.choice((1, 1, 2, 3)))]
    text = random.choice(("---\n", "---\n", "--- # x\n")).join(parts)
    if random.random() < 0.1:
        text = text.replace("\n", "\r\n")
    return text


def mutated(text: str, random: Random) -> str:
    """A text with a few characters changed."""
    chars = list(text)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(chars) + 1)
        if random.random() < 0.5:
            chars.insert(at, random.choice(SPECIAL))
        elif chars:
            del chars[at % len(chars)]
    return "".join(chars)


def _top(random: Random) -> list[str]:
    made = ["apiVersion: v1\n", "kind: Thing\n"]
    if random.random() < 0.7:
        made += ["x0: &x 1\n", "y0: &y {a: 1, c: [~, no]}\n", "z0: &z [a, 0b1]\n"]
    made += _mapping(random, 0, 3)
    if random.random() < 0.1:
        random.shuffle(made)
    return made


def _mapping(random: Random, indent: int, depth: int) -> list[str]:
    """Keys differ: of two equal ones either may count."""
    made = []
    keys = random.sample(("a", "b", "c", "items", "x-y", "k8s.io/a", '"q"', "'r'"), 3)
    for key in keys[: random.randrange(1, 4)]:
        if random.random() < 0.15:
            key = _scalar(random)  # noqa: PLW2901
            if key in ("", "~", "null", "Null", "NULL") or key.startswith(("9223", "1844")):
                continue  # refused as keys by kubectl only where the mapping is used
        if random.random() < 0.05:
            made.append(f"{' ' * indent}<<: *y\n")
        made.append(f"{' ' * indent}{key}:{_node(random, indent, depth)}")
    return made


def _node(random: Random, indent: int, depth: int) -> str:
    """What stands after a key, its newline included."""
    props = ""
    if random.random() < 0.12:
        props += f" &{random.choice('xyz')}"
    if random.random() < 0.02:
        props += f" {random.choice(TAGS)}"
    what = random.random()
    if depth and what < 0.2:
        return f"{props}\n{''.join(_mapping(random, indent + 2, depth - 1))}"
    if depth and what < 0.35:
        at = " " * (indent + random.choice((0, 2)))
        items = (
            f"{at}-{_node(random, len(at) + 2, depth - 1)}" for _ in range(random.randrange(1, 4))
        )
        return f"{props}\n{''.join(items)}"
    if what < 0.45:
        return f"{props} {_flow(random, 2)}\n"
    if what < 0.5:
        style = random.choice(("|", ">", "|-", ">+", "|2", ">1-"))
        lines = random.choices(("x", " y", "", "# z", "- a", "b: c"), k=3)
        return f"{props} {style}\n" + "".join(f"{' ' * (indent + 2)}{line}\n" for line in lines)
    if what < 0.53:
        return f" *{random.choice('xyz')}\n"
    comment = random.choice(("", "", "", " # c"))
    return f"{props} {_scalar(random)}{comment}\n"


def _scalar(random: Random) -> str:
    text = random.choice(SCALARS)
    how = random.random()
    if random.random() < 0.97 and (not text or text[0] in _MARKS or ": " in text or " #" in text):
        how = 0.1
    if how < 0.15:
        return f"'{text.replace(chr(39), chr(39) * 2)}'"
    if how < 0.3:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _flow(random: Random, depth: int) -> str:
    if not depth or random.random() < 0.4:
        return _scalar(random) if random.random() < 0.97 else f"*{random.choice('xyz')}"
    items = [_flow(random, depth - 1) for _ in range(random.randrange(3))]
    if random.random() < 0.5:
        return f"[{', '.join(items)}]"
    return "{" + ", ".join(f"{random.choice('abc')}: {item}" for item in items) + "}"
