import asyncio


class Boat:
    def __init__(self, port):
        self.port = port
        self.aboard = 0
        self.landed = asyncio.Future()

    async def board(self, people):
        for _ in range(people):
            await asyncio.sleep(0.001)
            self.aboard += 1
        self.landed.set_result(self.aboard)

    async def cross(self, people):
        boarding = asyncio.create_task(self.board(people))
        carried = await self.landed
        await boarding
        return f"ferry carried {carried} to {self.port}"
