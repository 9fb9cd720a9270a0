import asyncio
import logging

import aiohttp
from aiohttp import web

from well.app import build

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


async def keep(request):
    raise web.HTTPInsufficientStorage()


async def listen(app):
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"


async def main():
    storage = web.Application()
    storage.router.add_post("/", keep)
    storage_runner, storage_url = await listen(storage)
    runner, url = await listen(build(storage_url))
    await asyncio.sleep(0.1)
    async with aiohttp.ClientSession() as session, session.get(url + "/pending") as answer:
        print("GET /pending ->", answer.status)
    await runner.cleanup()
    await storage_runner.cleanup()


asyncio.run(main())
print("drive ended")
