"""Starts a program that serves until it is stopped, waits until it is quiet, and sends SIGTERM: `COMMAND…`."""

import os
import selectors
import signal
import subprocess
import sys
import time

QUIET, LONGEST, STOPPING = 1.0, 8.0, 12.0


def main():
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    streams = selectors.DefaultSelector()
    streams.register(process.stdout, selectors.EVENT_READ, sys.stdout.buffer)
    streams.register(process.stderr, selectors.EVENT_READ, sys.stderr.buffer)
    began = last = time.monotonic()
    sent = None
    while streams.get_map():
        for key, _ in streams.select(0.05):
            data = os.read(key.fd, 65536)
            if not data:
                streams.unregister(key.fileobj)
                continue
            key.data.write(data)
            key.data.flush()
            last = time.monotonic()
        now = time.monotonic()
        if sent is None and (now - last > QUIET and now - began > QUIET * 1.5 or now - began > LONGEST):
            sent = now
            process.send_signal(signal.SIGTERM)
        if sent is not None and now - sent > STOPPING:
            process.kill()
    status = process.wait()
    print("stopped with", "signal %d" % -status if status < 0 else "status %d" % status, flush=True)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
