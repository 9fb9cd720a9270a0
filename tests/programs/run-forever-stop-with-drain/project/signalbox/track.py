import asyncio


class Track:
    def __init__(self):
        self.passed = 0

    async def watch(self):
        try:
            while True:
                await asyncio.sleep(0.02)
                self.passed += 1
        finally:
            await asyncio.sleep(0)
            print("levers locked")
