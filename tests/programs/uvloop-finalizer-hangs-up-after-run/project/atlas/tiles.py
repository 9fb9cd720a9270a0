import asyncio
import weakref


def _let_go(link):
    asyncio.get_event_loop_policy().new_event_loop().run_until_complete(link.hang_up())


class Link:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def hang_up(self):
        self.writer.write(b"bye\n")
        await self.writer.drain()
        self.writer.close()
        await self.writer.wait_closed()


class TileSource:
    def __init__(self, link):
        self.link = link
        weakref.finalize(self, _let_go, link)

    @classmethod
    async def over(cls, port):
        return cls(Link(*await asyncio.open_connection("127.0.0.1", port)))

    async def tile(self, x):
        self.link.writer.write(b"%d\n" % x)
        await self.link.writer.drain()
        return await self.link.reader.readline()
