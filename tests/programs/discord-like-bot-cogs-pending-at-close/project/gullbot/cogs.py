import asyncio


class Presence:
    def __init__(self, bot):
        self.bot = bot
        self.changes = 0

    def cog_load(self):
        self.loop_task = self.bot.loop.create_task(self.rotate(), name="presence")

    async def rotate(self):
        await self.bot.ready.wait()
        while True:
            self.changes += 1
            await asyncio.sleep(0.02)


class Reminders:
    def __init__(self, bot):
        self.bot = bot
        self.queue = asyncio.Queue()

    def cog_load(self):
        self.loop_task = self.bot.loop.create_task(self.deliver(), name="reminders")

    async def deliver(self):
        while True:
            self.bot.sent.append(await self.queue.get())
