import asyncio


class Client:
    """The life of discord.Client, without the gateway."""

    def __init__(self, script):
        self.script = script
        self.loop = None
        self.ready = asyncio.Event()
        self.sent = []

    async def setup_hook(self):
        pass

    async def login(self, token):
        await asyncio.sleep(0)
        self.loop = asyncio.get_running_loop()
        print("logged in as", token.partition(".")[0])
        await self.setup_hook()

    async def connect(self):
        self.ready.set()
        for message in self.script:
            await asyncio.sleep(0.03)
            self.sent.append(message)

    async def close(self):
        await asyncio.sleep(0)
        print("gull logged out")

    async def start(self, token):
        try:
            await self.login(token)
            await self.connect()
        finally:
            await self.close()
