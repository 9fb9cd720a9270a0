import asyncio


async def count_loaves(kind):
    await asyncio.sleep(0.005)
    if kind not in {"rye"}:
        raise LookupError(f"no such loaf: {kind}")
    return 4
