import asyncio


class Console:
    """Commands of the signalman, in the order they are typed."""

    def __init__(self, typed):
        self.typed = typed
        self.commands = {"quit": self.quit, "bell": self.bell}

    def bell(self):
        print("ding")

    def quit(self):
        print("quit: box closes")
        asyncio.get_running_loop().stop()

    async def listen(self):
        for delay, word in self.typed:
            await asyncio.sleep(delay)
            self.commands[word]()
