from aiohttp import web

CALLS = []


async def level(request):
    CALLS.append(1)
    if len(CALLS) == 2:
        raise web.HTTPServiceUnavailable()
    return web.json_response({"cm": 312})


async def start():
    app = web.Application()
    app.router.add_get("/level", level)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, site._server.sockets[0].getsockname()[1]
