import aiohttp
from aiohttp import web

from .pump import Pump

PUMP = web.AppKey("pump", Pump)


async def pending(request):
    return web.json_response(len(request.app[PUMP].pending))


async def fit_pump(app):
    app[PUMP] = Pump(aiohttp.ClientSession(), app["store"])
    app[PUMP].on()


async def drop_pump(app):
    pump = app[PUMP]
    pump.off()
    await pump.session.close()
    print("well closed")


def build(store):
    app = web.Application()
    app["store"] = store
    app.router.add_get("/pending", pending)
    app.on_startup.append(fit_pump)
    app.on_cleanup.append(drop_pump)
    return app
