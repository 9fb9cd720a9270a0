import asyncio
import contextlib
import signal
import sys

import uvloop

from .book import Book


async def keep(book, enough):
    number = 0
    try:
        while not enough.is_set():
            await book.note(number)
            number += 1
            if number == 3:
                print("ready", flush=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 0.01)
    finally:
        book.flush()


async def main(path):
    enough = asyncio.Event()
    for name in ("SIGTERM", "SIGINT"):
        asyncio.get_running_loop().add_signal_handler(getattr(signal, name), enough.set)
    await keep(Book(path), enough)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
