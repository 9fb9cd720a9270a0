from contextlib import aclosing

from .pager import birds


async def first(vault, family):
    async with aclosing(birds(vault)) as source:
        async for bird, kind in source:
            if bird == family:
                return kind
    return None
