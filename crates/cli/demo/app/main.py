"""Orders: a small service with a database pool and a session for another service."""
import logging

import aiohttp
import asyncpg
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from app.settings import DATABASE_URL

logger = logging.getLogger(__name__)

app = FastAPI(title="orders")


@app.on_event("startup")
async def startup_event():
    app.state.rates = aiohttp.ClientSession()
    app.state.db_pool = await asyncpg.create_pool(DATABASE_URL, min_size=1, max_size=4, timeout=2)
    logger.info("ready")


@app.on_event("shutdown")
async def shutdown_event():
    await app.state.db_pool.close()
    await app.state.rates.close()


@app.get("/health")
async def health():
    pool = getattr(app.state, "db_pool", None)
    if pool is None:
        return JSONResponse({"status": "degraded", "database": "unavailable"}, status_code=503)
    return {"status": "ok"}


@app.get("/orders/{order_id}")
async def order(order_id: int):
    pool = getattr(app.state, "db_pool", None)
    if pool is None:
        return JSONResponse({"detail": "database unavailable"}, status_code=503)
    return dict(await pool.fetchrow("select $1::int as id", order_id))
