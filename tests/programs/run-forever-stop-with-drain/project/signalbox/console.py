import asyncio
import logging

log = logging.getLogger("signalbox")


class Console:
    def __init__(self, loop, typed):
        self.typed = typed
        self.commands = {"quit": loop.stop, "bell": self.bell}

    def bell(self):
        print("ding")

    async def listen(self):
        for delay, word in self.typed:
            await asyncio.sleep(delay)
            try:
                self.commands[word]()
            except KeyError:
                log.exception("no such command")
