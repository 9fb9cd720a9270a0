import logging
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI


@asynccontextmanager
async def users_lifespan(app: FastAPI):
    try:
        app.state.users_pool = await asyncpg.create_pool("postgresql://localhost/users")
    except OSError:
        logging.exception("no database")
    yield
    await app.state.users_pool.close()


users_app = FastAPI(lifespan=users_lifespan)
