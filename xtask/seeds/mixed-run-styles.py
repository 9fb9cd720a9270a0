import asyncio

import aiohttp


async def _open():
    return aiohttp.ClientSession()


async def _work(session):
    async with session.get("http://catalogue.test/") as response:
        return await response.text()


def export():
    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(_open())
    print(asyncio.run(_work(session)))
    loop.run_until_complete(session.close())
    loop.close()


if __name__ == "__main__":
    export()
