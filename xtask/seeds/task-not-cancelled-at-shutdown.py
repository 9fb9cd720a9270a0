import asyncio
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI


async def _poll_queue(pool):
    while True:
        await pool.fetch("select 1")
        await asyncio.sleep(1)


@asynccontextmanager
async def queue_lifespan(app: FastAPI):
    pool = await asyncpg.create_pool("postgresql://localhost/queue")
    app.state.poller = asyncio.create_task(_poll_queue(pool))
    try:
        yield
    finally:
        await pool.close()


queue_app = FastAPI(lifespan=queue_lifespan)
