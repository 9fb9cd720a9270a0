import asyncio

import dramatiq

from .broker import broker  # noqa: F401
from .ripening import ripen_all

RIPE = []


def complete(coro):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coro)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@dramatiq.actor(max_retries=0)
def ripen_shelf(names):
    RIPE.extend(complete(ripen_all(names)))
