import asyncio

import dramatiq

from .broker import broker  # noqa: F401
from .ripening import ripen_all

RIPE = []


def complete(coro):
    return asyncio.get_event_loop().run_until_complete(coro)


@dramatiq.actor(max_retries=0)
def ripen_shelf(names):
    RIPE.extend(complete(ripen_all(names)))
