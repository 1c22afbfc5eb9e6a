"""Every row there is."""

from __future__ import annotations

from typing import Final

from tests.core import rows_external, rows_options, rows_spec
from tests.core.case import Group

GROUPS: Final[list[Group]] = [*rows_spec.GROUPS, *rows_options.GROUPS, *rows_external.GROUPS]
