import os

from celery.signals import worker_process_init, worker_process_shutdown

from scales import server, tasks

os.environ["SCALE_PORT"] = str(server.start())
worker_process_init.send(sender=None)
try:
    for item in ("letter", "parcel"):
        print("ounces:", tasks.weigh.delay(item).get())
finally:
    worker_process_shutdown.send(sender=None)
