import asyncio

PRINTED = []


class PaperJam(Exception):
    pass


async def print_receipt(number):
    await asyncio.sleep(0.01)
    if number == 1:
        raise PaperJam("tray 2")
    PRINTED.append(number)


async def open_drawer():
    await asyncio.sleep(0)
