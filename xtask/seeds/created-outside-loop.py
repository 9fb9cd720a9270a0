import asyncio

import aiohttp

_weather_session = aiohttp.ClientSession(headers={"Accept": "application/json"})


async def _get_weather(url):
    async with _weather_session.get(url) as response:
        return await response.json()


if __name__ == "__main__":
    asyncio.run(_get_weather("http://127.0.0.1:8080/weather"))
