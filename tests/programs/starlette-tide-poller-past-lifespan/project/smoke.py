import asyncio
import os

import httpx

from harbour import upstream
from harbour.web import app


async def main():
    runner, port = await upstream.start()
    os.environ["GAUGE_URL"] = f"http://127.0.0.1:{port}/level"
    try:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0.2)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://harbour") as client:
                print("GET /tide ->", (await client.get("/tide")).status_code)
            print("polls:", app.state.poller.polls)
        await asyncio.sleep(0.2)
    finally:
        await runner.cleanup()


asyncio.run(main())
print("smoke ok")
