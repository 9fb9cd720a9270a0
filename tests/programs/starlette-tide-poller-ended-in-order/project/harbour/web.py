import contextlib
import os

import aiohttp
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from .poller import TidePoller


@contextlib.asynccontextmanager
async def harbour_life(app):
    async with aiohttp.ClientSession() as session:
        app.state.poller = TidePoller(session, os.environ["GAUGE_URL"]).launch()
        try:
            yield
        finally:
            await app.state.poller.retire()
    print("harbour closed")


async def tide(request):
    return JSONResponse({"cm": request.app.state.poller.newest})


app = Starlette(routes=[Route("/tide", tide)], lifespan=harbour_life)
