from asyncio import ensure_future


async def _send_receipt(order):
    print(order)


class Checkout:
    async def finish(self, order):
        ensure_future(_send_receipt(order))
