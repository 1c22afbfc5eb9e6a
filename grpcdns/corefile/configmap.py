"""The Corefile in a ConfigMap, as ``kubectl get configmap coredns -o yaml`` prints it.

Only what looks like a ConfigMap is read as YAML or JSON; a Corefile never does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from yaml import MappingNode, Node

KEY: Final = "Corefile"
_LOOKS_LIKE_ONE: Final = re.compile(
    r"""(^|[{,])[\s-]*["']?kind["']?\s*:\s*["']?(ConfigMap|List)\b""", re.M
)


class NoCorefile(ValueError):
    """A ConfigMap without a Corefile, or one that is not YAML."""


class Embedded(NamedTuple):
    """``before``: how many lines of the file precede the Corefile; None when the Corefile is a
    quoted string, whose lines are not those of the file."""

    text: str
    name: str
    before: int | None


def corefile_in(text: str) -> Embedded | None:
    """The Corefile of the first ConfigMap that has one; None when the text is no ConfigMap.

    Raises NoCorefile.
    """
    if not _LOOKS_LIKE_ONE.search(text):
        return None
    import yaml

    keys: list[str] = []
    any_map = False
    try:
        for document in yaml.compose_all(text, yaml.SafeLoader):
            for config_map in _config_maps(document):
                any_map = True
                data = _field(config_map, "data")
                corefile = _field(data, KEY)
                if isinstance(corefile, yaml.ScalarNode):
                    literal = corefile.style == "|"
                    before = corefile.start_mark.line + 1 if literal else None
                    return Embedded(corefile.value, _name(config_map), before)
                keys += [key.value for key, _ in getattr(data, "value", ())]
    except yaml.YAMLError as error:
        raise NoCorefile(f"it looks like a ConfigMap and is not YAML: {error}") from error
    if not any_map:
        return None
    has = f" (it has {', '.join(keys)})" if keys else ""
    raise NoCorefile(f"a ConfigMap without data.{KEY}{has}")


def _config_maps(node: Node) -> Iterator[MappingNode]:
    """The node, or the items of a list."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    kind = _field(node, "kind")
    if kind is not None and kind.value == "ConfigMap":
        yield node
    items = _field(node, "items")
    if isinstance(items, yaml.SequenceNode):
        for item in items.value:
            yield from _config_maps(item)


def _field(node: Node | None, name: str) -> Node | None:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _name(config_map: MappingNode) -> str:
    name = _field(_field(config_map, "metadata"), "name")
    return str(name.value) if name is not None else ""
