import asyncio

from .letters import Outbox


class DeskShut(RuntimeError):
    pass


class Desk:
    """The outbox for callers that know nothing of asyncio."""

    def __init__(self):
        self._runner = None
        self.outbox = Outbox()

    def __enter__(self):
        self._runner = asyncio.Runner().__enter__()
        return self

    def __exit__(self, *exc):
        runner, self._runner = self._runner, None
        runner.close()

    def send(self, letter):
        if self._runner is None:
            raise DeskShut("the desk is shut")
        return self._runner.run(self.outbox.send(letter))
