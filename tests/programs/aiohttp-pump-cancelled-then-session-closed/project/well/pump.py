import asyncio


class Pump:
    def __init__(self, session, store):
        self.session = session
        self.store = store
        self.pending = []
        self.job = None

    async def run(self):
        try:
            while True:
                self.pending.append(len(self.pending))
                await asyncio.sleep(0.02)
        finally:
            async with self.session.post(self.store, json=self.pending) as answer:
                answer.raise_for_status()

    def on(self):
        self.job = asyncio.ensure_future(self.run())

    def off(self):
        self.job.cancel()
