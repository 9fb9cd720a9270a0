import asyncio


async def look(bed):
    await asyncio.sleep(0.005)
    return bed.upper()


async def survey(beds):
    return await asyncio.gather(*(look(bed) for bed in beds))
