import contextlib

import aiohttp

from .river import dam


class MillHouse:
    def __init__(self, dam_port):
        self.dam_port = dam_port
        self.stack = contextlib.AsyncExitStack()

    async def start(self):
        self.weather = await self.stack.enter_async_context(aiohttp.ClientSession())
        self.dam = await self.stack.enter_async_context(await dam(self.dam_port))

    async def stop(self):
        await self.stack.aclose()
        print("mill stopped")

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *exc):
        await self.stop()
