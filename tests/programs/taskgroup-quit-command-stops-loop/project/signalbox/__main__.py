import asyncio

from .console import Console
from .track import Track


async def main():
    track = Track()
    console = Console([(0.03, "bell"), (0.07, "quit")])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(track.watch())
            group.create_task(console.listen())
    finally:
        print("trains passed:", track.passed)


asyncio.run(main())
print("box dark")
