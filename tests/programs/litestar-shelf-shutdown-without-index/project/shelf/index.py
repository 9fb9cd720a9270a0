import asyncio


class ShelfIndex:
    """A line protocol client of the catalogue server."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    @classmethod
    async def dial(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, word):
        self._writer.write(word.encode() + b"\n")
        await self._writer.drain()
        return (await self._reader.readline()).decode().strip()

    async def hang_up(self):
        self._writer.close()
        await self._writer.wait_closed()
        print("shelf disconnected")
