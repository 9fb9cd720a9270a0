from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def prices_lifespan(app: FastAPI):
    app.state.prices = {}
    yield


prices_app = FastAPI(lifespan=prices_lifespan)


@prices_app.on_event("startup")
async def warm_prices():
    prices_app.state.warm = True
