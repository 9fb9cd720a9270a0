import aiohttp


class PriceList:
    def __init__(self, base, connector=aiohttp.TCPConnector(limit=4)):
        self._session = aiohttp.ClientSession(base, connector=connector)

    async def of(self, fruit):
        async with self._session.get(f"/raw/{fruit}") as answer:
            return await answer.text()

    async def done(self):
        await self._session.close()
