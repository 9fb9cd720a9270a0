import asyncpg
from fastapi import FastAPI

orders_app = FastAPI()


@orders_app.on_event("startup")
async def open_orders_pool():
    orders_app.state.pool = await asyncpg.create_pool("postgresql://localhost/orders")


@orders_app.on_event("shutdown")
async def close_orders_pool():
    await orders_app.state.pool.close()
