import asyncio

import aiohttp


async def first_line(url):
    session = aiohttp.ClientSession()
    response = await session.get(url)
    if response.status != 200:
        return None
    text = await response.text()
    await session.close()
    return text.splitlines()[0]


if __name__ == "__main__":
    asyncio.run(first_line("http://catalogue.test/"))
