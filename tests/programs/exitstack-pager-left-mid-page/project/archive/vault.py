import asyncio
import contextlib


class Vault:
    """Leases cursors; closing waits until every lease is back."""

    def __init__(self, size):
        self.leases = 0
        self._slots = asyncio.Semaphore(size)
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def cursor(self):
        async with self._slots:
            self.leases += 1
            self._idle.clear()
            try:
                yield self
            finally:
                self.leases -= 1
                if not self.leases:
                    self._idle.set()

    async def page(self, number):
        await asyncio.sleep(0.001)
        return [("heron", "grey"), ("owl", "tawny"), ("owl", "barn")][number : number + 1]

    async def aclose(self):
        print("leases out:", self.leases)
        await asyncio.wait_for(self._idle.wait(), 0.5)
        print("archive shut")
