import asyncio


async def ripen(name):
    await asyncio.sleep(0.01)
    return name


async def ripen_all(names):
    return await asyncio.gather(*(ripen(n) for n in names))
