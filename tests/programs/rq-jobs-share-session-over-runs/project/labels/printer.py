import functools

import aiohttp


@functools.lru_cache(maxsize=None)
def printer_session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))


async def print_label(url, text):
    session = printer_session()
    async with session.post(url, data=text) as answer:
        answer.raise_for_status()
        return (await answer.text()).strip()
