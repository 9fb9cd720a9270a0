import anyio

from .belt import END, belt


async def pick(trees):
    for tree in range(trees):
        await belt.put(tree)
        await anyio.sleep(0.002)
    await belt.put(END)
