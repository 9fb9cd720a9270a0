import asyncio


class Outbox:
    def __init__(self):
        self.sent = []

    async def send(self, letter):
        await asyncio.sleep(0.001)
        self.sent.append(letter)
        return len(self.sent)
