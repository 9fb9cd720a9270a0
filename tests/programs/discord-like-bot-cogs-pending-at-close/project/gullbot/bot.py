from .client import Client
from .cogs import Presence, Reminders


class Gull(Client):
    def __init__(self, script):
        super().__init__(script)
        self.cogs = [Presence(self), Reminders(self)]

    async def setup_hook(self):
        for cog in self.cogs:
            cog.cog_load()
