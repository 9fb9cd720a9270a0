import asyncio

from flask import Blueprint

from .receipts import print_receipt

counter = Blueprint("counter", __name__)
SOLD = []


@counter.post("/sell/<int:number>")
async def sell(number):
    SOLD.append(number)
    asyncio.create_task(print_receipt(number))
    return {"sold": number}
