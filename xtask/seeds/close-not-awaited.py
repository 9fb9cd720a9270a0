import asyncio

import aiohttp


async def ping(url):
    session = aiohttp.ClientSession()
    try:
        response = await session.get(url)
        return response.status
    finally:
        session.close()


if __name__ == "__main__":
    asyncio.run(ping("http://catalogue.test/"))
