import asyncio


class Rounds:
    def __init__(self):
        self.checked = 0
        self.lit = 0

    async def walk(self, floor):
        await asyncio.sleep(0.005)
        self.checked += floor

    async def light(self):
        self.lit += 1
