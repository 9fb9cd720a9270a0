import asyncio
import logging
import socket

import httpx
from sanic import Sanic

from stall.pages import pages

logging.getLogger("sanic.root").setLevel(logging.WARNING)
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
BASE = f"http://127.0.0.1:{sock.getsockname()[1]}"

app = Sanic("kiosk", configure_logging=False)
app.config.BASE = BASE
app.blueprint(pages)


async def customer(app):
    await asyncio.sleep(0.2)
    async with httpx.AsyncClient(base_url=BASE) as client:
        print("price:", (await client.get("/price/pear")).text)
    app.stop()


app.add_task(customer)

if __name__ == "__main__":
    app.run(sock=sock, single_process=True, motd=False, access_log=False)
    print("kiosk shut")
