import asyncio
import logging

from shelf.site import build

logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")


async def main():
    app = build(1)
    try:
        async with app.lifespan():
            print("started")
    except* OSError as group:
        print("start refused:", type(group.exceptions[0]).__name__)


asyncio.run(main())
print("check done")
