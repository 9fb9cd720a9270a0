import aiohttp


class Courier:
    """Talks to the franking machine on behalf of one desk."""

    def __init__(self, base, desk):
        self.base = base
        self.desk = desk
        self._line = aiohttp.ClientSession(headers={"X-Desk": str(desk)})

    async def frank(self):
        async with self._line.get(f"{self.base}/frank") as answer:
            return await answer.text()

    async def go_home(self):
        await self._line.close()
