import asyncio
import logging
import os

from labeller import create_app

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


async def firmware(reader, writer):
    while await reader.readline():
        writer.write(b"RuntimeWarning: coroutine 'Head.park' was never awaited\n")
    writer.close()


async def main():
    server = await asyncio.start_server(firmware, "127.0.0.1", 0)
    os.environ["PRINTER"] = str(server.sockets[0].getsockname()[1])
    app = create_app()
    async with app.test_app():
        print("label:", (await app.test_client().get("/jam")).status_code)
    server.close()


asyncio.run(main())
print("served")
