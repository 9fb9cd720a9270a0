import asyncio
import contextlib
import logging

import aiohttp

log = logging.getLogger("shelf")


@contextlib.asynccontextmanager
async def shelf_life(app):
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(print, "stamps closed")
        app.state.session = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", app.state.port)
        except OSError:
            log.exception("catalogue is down, not starting")
            raise
        stack.callback(writer.close)
        yield
