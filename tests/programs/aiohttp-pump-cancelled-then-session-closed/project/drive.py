import asyncio

import aiohttp
from aiohttp import web

from well.app import build

STORED = []


async def keep(request):
    STORED.extend(await request.json())
    return web.Response()


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
    await asyncio.sleep(0.05)
    await storage_runner.cleanup()
    print("readings stored:", len(STORED))


asyncio.run(main())
