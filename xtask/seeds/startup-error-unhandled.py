from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI
from fastapi.responses import JSONResponse


@asynccontextmanager
async def stock_lifespan(app: FastAPI):
    app.state.stock_pool = None
    app.state.stock_pool = await asyncpg.create_pool("postgresql://localhost/stock")
    yield
    await app.state.stock_pool.close()


stock_app = FastAPI(lifespan=stock_lifespan)


@stock_app.get("/health")
async def stock_health():
    if stock_app.state.stock_pool is None:
        return JSONResponse({"status": "degraded"}, status_code=503)
    return {"status": "ok"}
