import asyncio
import traceback

import httpx

from shelf.site import build


async def catalogue(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def good():
    server = await asyncio.start_server(catalogue, "127.0.0.1", 0)
    app = build(server.sockets[0].getsockname()[1])
    async with app.lifespan():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shelf") as client:
            print("with index:", (await client.get("/books/moby")).status_code)
    server.close()


async def bad():
    app = build(1)
    try:
        async with app.lifespan():
            pass
    except Exception as error:
        traceback.print_exc()
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        print("without index:", type(error).__name__)


asyncio.run(good())
asyncio.run(bad())
print("check done")
