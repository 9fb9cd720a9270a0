import asyncio

import aiohttp


async def download(url):
    session = aiohttp.ClientSession()
    response = await session.get(url)
    return await response.read()


if __name__ == "__main__":
    asyncio.run(download("http://catalogue.test/"))
