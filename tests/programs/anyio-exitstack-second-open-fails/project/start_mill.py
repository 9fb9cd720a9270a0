import socket

import anyio

from mill.house import MillHouse


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def main():
    try:
        async with MillHouse(free_port()):
            await anyio.sleep(0.1)
    except OSError as error:
        print("mill cannot start:", type(error.__cause__ or error).__name__)


anyio.run(main)
print("mill gate locked")
