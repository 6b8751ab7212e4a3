"""A desk with sheets for each test."""

from pathlib import Path

import pytest

from tests.app.cli.conftest import Machine
from tests.app.cli.schema.sheets import Desk


@pytest.fixture
def desk(machine: Machine, tmp_path: Path) -> Desk:
    """A folder of its own."""
    return Desk(machine, tmp_path)
