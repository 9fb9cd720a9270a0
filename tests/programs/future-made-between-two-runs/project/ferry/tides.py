import asyncio


async def load():
    await asyncio.sleep(0.001)
    return ["high 06:10", "low 12:20"]
