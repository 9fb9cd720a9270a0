import contextlib
import os

import aiohttp
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from .poller import TidePoller


@contextlib.asynccontextmanager
async def harbour_life(app):
    session = aiohttp.ClientSession()
    app.state.poller = TidePoller(session, os.environ["GAUGE_URL"]).launch()
    try:
        yield
    finally:
        await session.close()
        print("harbour closed")


async def tide(request):
    return JSONResponse({"cm": request.app.state.poller.newest})


app = Starlette(routes=[Route("/tide", tide)], lifespan=harbour_life)
