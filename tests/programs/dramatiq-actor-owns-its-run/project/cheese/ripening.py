import asyncio


class UnripeError(Exception):
    pass


async def ripen(name):
    await asyncio.sleep(0.01)
    if name == "stone":
        raise UnripeError(name)
    return name


async def ripen_all(names):
    return [await ripen(n) for n in names]
