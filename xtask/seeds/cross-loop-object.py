import asyncio
import threading

_NO_MORE = object()


async def _produce_orders(orders):
    for number in range(6):
        await orders.put(number)
    await orders.put(_NO_MORE)


async def _consume_orders(orders):
    while (order := await orders.get()) is not _NO_MORE:
        print(order)


def handle_orders():
    orders = asyncio.Queue(2)
    thread = threading.Thread(target=asyncio.run, args=(_produce_orders(orders),))
    thread.start()
    asyncio.run(_consume_orders(orders))
    thread.join()


if __name__ == "__main__":
    handle_orders()
