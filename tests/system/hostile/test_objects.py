"""An object of a namespace's owner, made to slow down the feed, which reads all objects."""

from __future__ import annotations

import json
import time

import pytest

from grpcdns.core.cluster.objects import Kind
from grpcdns.source.api.decode import Decoder, Item, ListReader

REFERENCE = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y" * 36}


def read(text: bytes) -> list[Item]:
    reader = ListReader(Decoder(Kind.SERVICE_IMPORT))
    found = [
        item
        for at in range(0, len(text), 1 << 16)
        for item in reader.feed(text[at : at + (1 << 16)])
    ]
    return [*found, *reader.finish()]


def listed(*references: int) -> bytes:
    """A list of ServiceImports, each with so many ownerReferences, which look like the border
    between two objects of the list."""
    items = [
        {
            "apiVersion": "multicluster.x-k8s.io/v1alpha1",
            "kind": "ServiceImport",
            "metadata": {
                "name": f"import-{number}",
                "namespace": "ns",
                "ownerReferences": [REFERENCE] * count,
            },
            "spec": {"type": "ClusterSetIP", "ips": ["10.0.0.1"]},
        }
        for number, count in enumerate(references)
    ]
    return json.dumps({"apiVersion": "v1", "items": items}, separators=(",", ":")).encode()


def test_borders_within_an_object_are_ignored() -> None:
    for counts in ((0, 2, 0), (5, 0, 31), (0, 100, 0, 3), (1000, 0, 1000)):
        keys = [item.key for item in read(listed(*counts))]
        assert keys == [f"ns/import-{number}" for number in range(len(counts))]


@pytest.mark.timed
def test_an_object_of_10_000_borders_costs_no_more_than_its_size() -> None:
    """A quadratic reader takes 3 s for this."""
    text = listed(10_000, 0, 10_000, 0)
    began = time.thread_time()
    assert len(read(text)) == 4
    assert time.thread_time() - began < 0.5
