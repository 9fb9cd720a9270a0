import asyncio


class Outbox:
    def __init__(self):
        self.sent = []
        self.open = False

    async def prepare(self):
        await asyncio.sleep(0)
        self.open = True

    async def send(self, letter):
        if not self.open:
            await self.prepare()
        await asyncio.sleep(0.001)
        self.sent.append(letter)
        return len(self.sent)
