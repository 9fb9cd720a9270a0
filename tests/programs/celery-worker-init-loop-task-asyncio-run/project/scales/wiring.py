import asyncio
import os

from celery.signals import worker_process_init, worker_process_shutdown

from .line import ScaleLine

line = None
_loop = asyncio.new_event_loop()


@worker_process_init.connect
def plug_in(**_):
    global line
    line = _loop.run_until_complete(ScaleLine.dial(int(os.environ["SCALE_PORT"])))


@worker_process_shutdown.connect
def unplug(**_):
    _loop.run_until_complete(line.hang_up())
    _loop.close()
    print("worker down")
