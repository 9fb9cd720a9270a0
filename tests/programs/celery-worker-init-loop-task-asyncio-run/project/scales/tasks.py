import asyncio

from . import wiring
from .celeryapp import app


@app.task
def weigh(item):
    return asyncio.run(wiring.line.weigh(item))
