from aiohttp import web


async def level(request):
    return web.json_response({"cm": 312})


async def start():
    app = web.Application()
    app.router.add_get("/level", level)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, site._server.sockets[0].getsockname()[1]
