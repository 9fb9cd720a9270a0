import asyncio
import atexit

import asyncpg

_stock_pool = None
_stock_loop = None


def _close_stock_pool():
    if _stock_pool is not None:
        _stock_loop.run_until_complete(_stock_pool.close())


atexit.register(_close_stock_pool)


async def _open_stock_pool():
    global _stock_pool, _stock_loop
    if _stock_pool is None:
        _stock_loop = asyncio.get_running_loop()
        _stock_pool = await asyncpg.create_pool("postgresql://localhost/stock")
    return _stock_pool


async def count_stock():
    pool = await _open_stock_pool()
    print(await pool.fetchval("select count(*) from stock"))


if __name__ == "__main__":
    asyncio.run(count_stock())
