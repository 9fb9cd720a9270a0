import asyncio
import sys

import uvloop

from .book import Book


async def keep(book):
    number = 0
    try:
        while True:
            await book.note(number)
            number += 1
            if number == 3:
                print("ready", flush=True)
            await asyncio.sleep(0.01)
    finally:
        book.flush()


async def main(path):
    await keep(Book(path))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
