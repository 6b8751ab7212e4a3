"""What tests of the exchange share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.makers.world import Agency, World


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Agency]:
    """The ministry, as the desk."""
    change = "UPDATE agency SET desk = $1 WHERE code = 'ministry'"
    for is_desk in (True, False):
        await world.owner.execute(change, is_desk)
        await world.owner.execute("UPDATE epoch SET value = value + 1")
        await world.exchange.directory.refresh()
        if is_desk:
            yield world.ministry
