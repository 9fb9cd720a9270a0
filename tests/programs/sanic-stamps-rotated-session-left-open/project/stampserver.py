import asyncio
import logging
import socket

import httpx
from sanic import Sanic

from postroom import listeners
from postroom.desk import desk

logging.getLogger("sanic.root").setLevel(logging.WARNING)
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
BASE = f"http://127.0.0.1:{sock.getsockname()[1]}"

app = Sanic("stampserver", configure_logging=False)
app.config.FRANKING = BASE
app.blueprint(desk)
listeners.attach(app)


async def visitor(app):
    await asyncio.sleep(0.2)
    async with httpx.AsyncClient(base_url=BASE) as client:
        print("stamp:", (await client.get("/send")).text)
        print("rotated:", (await client.post("/rotate")).text)
        print("stamp:", (await client.get("/send")).text)
    app.stop()


app.add_task(visitor)

if __name__ == "__main__":
    app.run(sock=sock, single_process=True, motd=False, access_log=False)
    print("stampserver stopped")
