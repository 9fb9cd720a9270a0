import asyncio
import logging
import os

import httpx

from harbour import upstream
from harbour.web import app

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


async def main():
    runner, port = await upstream.start()
    os.environ["GAUGE_URL"] = f"http://127.0.0.1:{port}/level"
    try:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0.25)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://harbour") as client:
                print("GET /tide ->", (await client.get("/tide")).status_code)
        await asyncio.sleep(0.1)
    finally:
        await runner.cleanup()


asyncio.run(main())
print("smoke ok")
