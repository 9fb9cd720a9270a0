import asyncio
import contextlib
import logging

import aiohttp

log = logging.getLogger("harbour.poller")


class TidePoller:
    def __init__(self, session, url, every=0.05):
        self.session = session
        self.url = url
        self.every = every
        self.newest = None
        self.worker = None

    def launch(self):
        self.worker = asyncio.create_task(self._turn(), name="tide-poller")
        return self

    async def retire(self):
        self.worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.worker

    async def _turn(self):
        while True:
            try:
                async with self.session.get(self.url, raise_for_status=True) as answer:
                    self.newest = (await answer.json())["cm"]
            except aiohttp.ClientError:
                log.exception("gauge unavailable, keeping the last level")
            await asyncio.sleep(self.every)
