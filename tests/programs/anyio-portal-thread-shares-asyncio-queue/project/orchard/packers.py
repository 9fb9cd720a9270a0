import asyncio

from .belt import END, belt


async def pack():
    crates = 0
    await asyncio.sleep(0.2)  # the first pallet is rolled in
    while (await asyncio.wait_for(belt.get(), 3)) is not END:
        await asyncio.sleep(0.005)
        crates += 1
    return crates
