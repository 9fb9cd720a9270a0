import asyncio


class ScaleLine:
    """One connection to the weighing server."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def weigh(self, item):
        self.writer.write(item.encode() + b"\n")
        await self.writer.drain()
        return int(await self.reader.readline())

    async def hang_up(self):
        self.writer.close()
        await self.writer.wait_closed()
