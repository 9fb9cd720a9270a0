import logging

import dramatiq

from cheese.actors import RIPE, ripen_shelf
from cheese.broker import broker

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
ripen_shelf.send(["brie", "comte"])
ripen_shelf.send(["stone"])
worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
worker.start()
broker.join(ripen_shelf.queue_name, fail_fast=False)
worker.join()
worker.stop()
print("ripened:", ", ".join(RIPE))
print("cellar locked")
