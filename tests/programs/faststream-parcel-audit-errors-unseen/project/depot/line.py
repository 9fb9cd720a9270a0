from faststream import FastStream
from faststream.redis import RedisBroker

from .audit import AuditTrail

broker = RedisBroker("redis://localhost:1")
app = FastStream(broker)
trail = AuditTrail()
delivered = []


@broker.subscriber("parcels")
async def on_parcel(body: dict):
    trail.note(body)
    delivered.append(body["id"])


@app.on_shutdown
async def settle_audit():
    await trail.settle()
