import asyncio

from aiohttp import web


async def _answer(request):
    return web.Response(text="ok")


async def _serve_status(buffer):
    app = web.Application()
    app.router.add_get("/", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8080).start()
    try:
        while True:
            await asyncio.sleep(3600)
    finally:
        buffer.close()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve_status(open("status.log", "a")))
