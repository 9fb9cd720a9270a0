import asyncio
import logging

from .console import Console
from .ending import wind_down
from .track import Track

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
loop = asyncio.new_event_loop()
track = Track()
jobs = [
    loop.create_task(track.watch()),
    loop.create_task(Console(loop, [(0.03, "bell"), (0.03, "quti"), (0.04, "quit")]).listen()),
]
try:
    loop.run_forever()
finally:
    wind_down(loop)
    loop.close()
print("trains passed:", track.passed)
print("box dark")
