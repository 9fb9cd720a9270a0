import asyncio
import contextlib


class Vault:
    def __init__(self):
        self.leases = 0
        self.slow = {1}

    @contextlib.asynccontextmanager
    async def cursor(self):
        self.leases += 1
        try:
            yield self
        finally:
            self.leases -= 1

    async def page(self, number):
        if number in self.slow:
            self.slow.discard(number)
            await asyncio.sleep(5)
        return [("heron", "grey"), ("owl", "tawny"), ("owl", "barn")][number : number + 1]

    async def aclose(self):
        print("leases out:", self.leases)
        print("archive shut")
