"""What happened, in order: records of a few kinds, as JSON lines. Times are monotonic seconds.

A record is a dict with ``r``, its kind:

    start     t, options: of the run
    truth     the API has an object since: t (seen in etcd), rev, key, obj (null: deleted); or
              ``at`` instead of t, an interval, after etcd was restored
    seen      t, rev, key: a write that changes no answer
    since     t: when what is there was first read, with ``at`` [0, 0]
    write     a writer's request: at, key, rev ("": refused or unknown), error
    begins    t, n, kind: a fault, also one that the run does not live to heal
    fault     at, n (its number in the schedule), kind, target: it began and was healed
    question  id, name, type;   answer: id, text      both appear once, before their first use
    asked     at, to (worker 0, worker 1, coredns), c (the connection), q and a: ids, in pairs
    stall     at: a process that wanted to run could not
    rss       t, what, pid, kb
    waited    at, what, s: seconds that its threads waited for a CPU
    unhealed  t, what: a fault that lasted longer than promised
    leaked    t, what: a process that outlived its supervisor
    unlike    t, what: CoreDNS's plugin says otherwise, at the end
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self, TypeVar

Record = dict[str, Any]
Interval = tuple[float, float]
K = TypeVar("K")

NO_REPLY: Final = "NO REPLY"
UNAVAILABLE: Final = "UNAVAILABLE"
ERRORS: Final = (NO_REPLY, UNAVAILABLE, "SERVFAIL", "REFUSED")
"""How the text of an answer that says nothing of the cluster begins."""


class History:
    """Takes records from any thread; each is in the file when `add` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w")
        self._lock = threading.Lock()
        self._questions: dict[tuple[str, str], int] = {}
        self._answers: dict[str, int] = {}

    @property
    def log(self) -> Path:
        """Where the logs of grpcdns and CoreDNS are kept, after the run."""
        return self.path.with_suffix(".log")

    def add(self, kind: str, /, **fields: Any) -> None:
        line = json.dumps({"r": kind, **fields}, separators=(",", ":"))
        with self._lock:
            self._file.write(line + "\n")

    def question(self, name: str, qtype: str) -> int:
        """The id of a question."""
        return self._id("question", self._questions, (name, qtype), name=name, type=qtype)

    def answer(self, text: str) -> int:
        """The id of an answer."""
        return self._id("answer", self._answers, text, text=text)

    def _id(self, kind: str, known: dict[K, int], key: K, **fields: str) -> int:
        with self._lock:
            if key not in known:
                known[key] = len(known)
                self._file.write(json.dumps({"r": kind, "id": known[key], **fields}) + "\n")
            return known[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """The records of a file."""
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def now() -> float:
    """The clock of all records, to a tenth of a millisecond."""
    return round(time.monotonic(), 4)
