import asyncio
import logging

from flask import Blueprint

from .receipts import PaperJam, open_drawer, print_receipt

counter = Blueprint("counter", __name__)
log = logging.getLogger("till")


@counter.post("/sell/<int:number>")
async def sell(number):
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(print_receipt(number))
            group.create_task(open_drawer())
    except* PaperJam:
        log.exception("no receipt for sale %d", number)
        status = 502
    else:
        status = 200
    return {"sale": number}, status
