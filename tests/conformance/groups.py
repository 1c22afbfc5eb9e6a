"""Every row there is."""

from __future__ import annotations

from typing import Final

from tests.conformance import rows_external, rows_options, rows_spec
from tests.conformance.case import Group

GROUPS: Final[list[Group]] = [*rows_spec.GROUPS, *rows_options.GROUPS, *rows_external.GROUPS]
