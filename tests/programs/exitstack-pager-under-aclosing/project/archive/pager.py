import asyncio
import logging

log = logging.getLogger("archive")


async def _page(cursor, number):
    while True:
        try:
            return await asyncio.wait_for(cursor.page(number), 0.05)
        except TimeoutError:
            log.warning("page %d was slow, once more", number, exc_info=True)


async def birds(vault):
    async with vault.cursor() as cursor:
        number = 0
        while rows := await _page(cursor, number):
            for row in rows:
                yield row
            number += 1
