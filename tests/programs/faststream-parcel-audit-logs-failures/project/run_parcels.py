import asyncio
import logging

from faststream import TestApp
from faststream.redis import TestRedisBroker

from depot.line import app, broker, delivered, trail

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


async def main():
    async with TestRedisBroker(broker) as fake, TestApp(app):
        await fake.publish({"id": "p1", "grams": 100}, "parcels")
        await fake.publish({"id": "p2"}, "parcels")
        await fake.publish({"id": "p3", "grams": 70}, "parcels")
    print("delivered:", len(delivered))
    print("audited:", len(trail.rows))


asyncio.run(main())
print("line stopped")
