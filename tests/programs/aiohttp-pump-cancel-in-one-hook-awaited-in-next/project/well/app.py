import asyncio
import contextlib

import aiohttp
from aiohttp import web

from .pump import Pump

PUMP = web.AppKey("pump", Pump)


async def pending(request):
    return web.json_response(len(request.app[PUMP].pending))


async def pump_life(app):
    async with aiohttp.ClientSession() as session:
        app[PUMP] = Pump(session, app["store"])
        app[PUMP].on()
        yield
        with contextlib.suppress(asyncio.CancelledError):
            await app[PUMP].job
    print("well closed")


async def halt_pump(app):
    app[PUMP].off()


def build(store):
    app = web.Application()
    app["store"] = store
    app.router.add_get("/pending", pending)
    app.on_shutdown.append(halt_pump)
    app.cleanup_ctx.append(pump_life)
    return app
