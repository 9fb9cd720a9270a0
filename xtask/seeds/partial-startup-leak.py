from contextlib import asynccontextmanager

import aiohttp
import asyncpg
from fastapi import FastAPI


@asynccontextmanager
async def shop_lifespan(app: FastAPI):
    app.state.session = aiohttp.ClientSession()
    app.state.pool = await asyncpg.create_pool("postgresql://localhost/shop")
    yield
    await app.state.pool.close()
    await app.state.session.close()


shop_app = FastAPI(lifespan=shop_lifespan)
