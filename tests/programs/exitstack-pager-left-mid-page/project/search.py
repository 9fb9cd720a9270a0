import asyncio
from contextlib import AsyncExitStack

from archive.finder import Finder
from archive.vault import Vault


async def main():
    async with AsyncExitStack() as stack:
        vault = Vault(2)
        stack.push_async_callback(vault.aclose)
        finder = Finder(vault)
        print("first owl:", await finder.first("owl"))


asyncio.run(main())
