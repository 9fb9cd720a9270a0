import asyncio

from sqlalchemy.ext.asyncio import create_async_engine


async def vacuum():
    engine = create_async_engine("postgresql+asyncpg://localhost/shop")
    async with engine.begin() as connection:
        await connection.exec_driver_sql("analyze")
    engine.dispose()


if __name__ == "__main__":
    asyncio.run(vacuum())
