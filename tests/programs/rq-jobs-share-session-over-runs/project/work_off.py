import logging

import fakeredis
from rq import Queue, SimpleWorker

from labels import fakeprinter
from labels.jobs import label_job

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
url = fakeprinter.start()
connection = fakeredis.FakeStrictRedis()
queue = Queue("labels", connection=connection)
for text in ("north", "east", "west"):
    queue.enqueue(label_job, url, text)
worker = SimpleWorker([queue], connection=connection)
worker.work(burst=True, logging_level="WARNING")
print(f"labels printed: {len(fakeprinter.Printer.printed)} of 3")
print("queue empty" if not queue.count else "jobs left")
