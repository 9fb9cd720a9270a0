import asyncio
import threading


async def _publish(price):
    print(price)


class PriceWatcher(threading.Thread):
    def __init__(self, source):
        super().__init__(daemon=True)
        self.source = source

    def run(self):
        for price in self.source:
            asyncio.create_task(_publish(price))


async def _watch_prices():
    watcher = PriceWatcher([1, 2, 3])
    watcher.start()
    await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(_watch_prices())
