"""Label selectors: what they match, how they are written out, and mistakes."""

from __future__ import annotations

import pytest

from grpcdns.config.selector import Selector, SelectorError, from_api, parse_selector

LABELS = {"app": "dns", "tier": "front", "empty": ""}

MATCHES = {
    "": True,
    "  ": True,
    "app=dns": True,
    "app==dns": True,
    " app = dns ": True,
    "app=other": False,
    "app!=dns": False,
    "app!=other": True,
    "none!=x": True,
    "app in (dns)": True,
    "app in (a, dns ,b)": True,
    "app in (a,b)": False,
    "none in (a)": False,
    "app notin (a,b)": True,
    "app notin (dns)": False,
    "none notin (a)": True,
    "app": True,
    "none": False,
    "!app": False,
    "!none": True,
    "! none": True,
    "empty=": True,
    "empty in (,a)": True,
    "empty=x": False,
    "app=dns,tier=front": True,
    "app=dns,tier=back": False,
    "app,!none,tier in (front)": True,
    "example.com/team=a": False,
    "in=in": False,
}


@pytest.mark.parametrize(("text", "matches"), MATCHES.items())
def test_matching(text: str, matches: bool) -> None:
    selector = parse_selector(text)
    assert selector.matches(LABELS) is matches
    assert parse_selector(str(selector)) == selector


WRITTEN = {
    "app==a": "app=a",
    "app in (a)": "app=a",
    "app notin (a)": "app!=a",
    "app in (b, a)": "app in (b,a)",
    "!a , b": "!a,b",
    "x.io/a notin (a,b)": "x.io/a notin (a,b)",
}


@pytest.mark.parametrize(("text", "written"), WRITTEN.items())
def test_writing_out(text: str, written: str) -> None:
    assert str(parse_selector(text)) == written


WRONG = {
    "=a": "'=' is not a label's name",
    "a=b,": "expected a label's name at the end",
    ",a": "',' is not a label's name",
    "a=b c=d": "expected ',' or the end, found 'c'",
    "a in b": "expected '(' after in and notin",
    "a in (b": "expected ',' or ')' after a value",
    "a in (b c)": "expected ',' or ')' after a value",
    "a > 1": "'>' has no meaning here",
    "a=b;c": "';' has no meaning here",
    "a=@": "'@' has no meaning here",
    "a b": "expected =, !=, in or notin after 'a', found 'b'",
    "-a=b": "'-a' is not a label's name",
    "a=-b": "'-b' is not a label's value",
    f"{'a' * 64}=b": "is not a label's name",
    f"a={'b' * 64}": "is not a label's value",
    "Up.per/a=b": "is not a label's name",
    f"{'a' * 254}/a=b": "is not a label's name",
    "a/b/c=d": "is not a label's name",
    "!": "expected a label's name at the end",
}


@pytest.mark.parametrize(("text", "why"), WRONG.items())
def test_mistakes(text: str, why: str) -> None:
    with pytest.raises(SelectorError) as error:
        parse_selector(text)
    assert why in str(error.value)
    assert repr(text) in str(error.value)


def test_a_services_selector_is_equality() -> None:
    assert from_api({"app": "dns", "tier": "front"}).matches(LABELS)
    assert not from_api({"app": "x"}).matches(LABELS)
    assert from_api(None) == Selector()
    assert Selector().matches(None)
