import asyncio
import logging
import os

log = logging.getLogger("labeller")


class Outlet:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def put(self, text):
        self.writer.write(text.encode() + b"\n")
        await self.writer.drain()
        return (await self.reader.readline()).decode().strip()

    def release(self):
        self.writer.close()


def install(app):
    @app.while_serving
    async def printer():
        outlet = Outlet(*await asyncio.open_connection("127.0.0.1", int(os.environ["PRINTER"])))
        app.config["OUTLET"] = outlet
        yield
        outlet.release()
        await outlet.writer.wait_closed()
        print("printer released")
