import asyncio


async def count_loaves(kind):
    await asyncio.sleep(0.005)
    return {"rye": 4}.get(kind, 0)
