from .pager import birds


class Finder:
    def __init__(self, vault):
        self.vault = vault
        self.source = None

    async def first(self, family):
        self.source = birds(self.vault)
        async for bird, kind in self.source:
            if bird == family:
                return kind
        return None
