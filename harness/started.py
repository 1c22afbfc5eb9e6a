"""What ``with`` starts, and ends whatever happens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Started(ABC):
    """``with X() as x:`` starts it; it ends after the block, and where its start fails."""

    @abstractmethod
    def start(self) -> Self: ...

    @abstractmethod
    def _end(self) -> None:
        """However far `start` came."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        self._end()
