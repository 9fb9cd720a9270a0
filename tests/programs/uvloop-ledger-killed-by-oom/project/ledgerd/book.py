import asyncio


class Book:
    def __init__(self, path):
        self.path = path
        self.rows = []

    async def note(self, row):
        await asyncio.sleep(0)
        self.rows.append(row)

    def flush(self):
        with open(self.path, "a") as file:
            file.writelines(f"{row}\n" for row in self.rows)
        self.rows.clear()
