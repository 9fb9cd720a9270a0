import asyncio


class Guestbook:
    def __init__(self):
        self.lines = []
        self._lock = asyncio.Lock()

    async def open(self):
        async with self._lock:
            print("guestbook open")

    async def sign(self, name):
        async with self._lock:
            await asyncio.sleep(0)
            self.lines.append(name)

    async def close(self):
        async with self._lock:
            await asyncio.sleep(0)
        print(f"guestbook closed with {len(self.lines)} lines")
