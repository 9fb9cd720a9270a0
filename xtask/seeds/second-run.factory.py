import asyncio

import asyncpg

_pool = None


async def _shared_pool():
    global _pool
    if _pool is None:
        _pool = await asyncpg.create_pool("postgresql://localhost/shop")
    return _pool


async def count_rows(table):
    pool = await _shared_pool()
    return await pool.fetchval(f"select count(*) from {table}")


def main():
    for table in ("orders", "users"):
        print(asyncio.run(count_rows(table)))


if __name__ == "__main__":
    main()
