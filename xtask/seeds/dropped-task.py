import asyncio


async def _refresh_prices():
    await asyncio.sleep(5)


async def on_price_request(request):
    asyncio.create_task(_refresh_prices())
    return {"accepted": True}
