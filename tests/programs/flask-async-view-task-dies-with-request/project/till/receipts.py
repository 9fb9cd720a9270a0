import asyncio

PRINTED = []


async def print_receipt(number):
    await asyncio.sleep(0.02)
    PRINTED.append(number)
