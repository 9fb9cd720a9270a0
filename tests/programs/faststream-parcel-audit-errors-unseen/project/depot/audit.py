import asyncio


class AuditTrail:
    def __init__(self):
        self.rows = []
        self._open = set()

    async def _enter(self, parcel):
        await asyncio.sleep(0.01)
        if "grams" not in parcel:
            raise ValueError(f"parcel {parcel['id']} has no weight")
        self.rows.append(parcel["id"])

    def note(self, parcel):
        job = asyncio.create_task(self._enter(parcel))
        self._open.add(job)
        job.add_done_callback(self._open.discard)

    async def settle(self):
        while self._open:
            await asyncio.wait(self._open)
