import asyncio


class TidePoller:
    """Keeps the newest reading of the gauge."""

    def __init__(self, session, url, every=0.05):
        self.session = session
        self.url = url
        self.every = every
        self.polls = 0
        self.newest = None
        self.worker = None

    def launch(self):
        self.worker = asyncio.create_task(self._turn(), name="tide-poller")
        return self

    async def _turn(self):
        while True:
            async with self.session.get(self.url) as answer:
                self.newest = (await answer.json())["cm"]
            self.polls += 1
            await asyncio.sleep(self.every)
