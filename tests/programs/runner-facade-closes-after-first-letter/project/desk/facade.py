import asyncio

from .letters import Outbox


class Desk:
    """The outbox for callers that know nothing of asyncio."""

    def __init__(self):
        self._runner = asyncio.Runner()
        self.outbox = Outbox()

    def send(self, letter):
        with self._runner as runner:
            return runner.run(self.outbox.send(letter))
