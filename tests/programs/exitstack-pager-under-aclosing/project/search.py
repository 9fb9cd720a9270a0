import asyncio
import logging
from contextlib import AsyncExitStack

from archive.finder import first
from archive.vault import Vault


async def main():
    async with AsyncExitStack() as stack:
        vault = Vault()
        stack.push_async_callback(vault.aclose)
        print("first owl:", await first(vault, "owl"))


logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
asyncio.run(main())
