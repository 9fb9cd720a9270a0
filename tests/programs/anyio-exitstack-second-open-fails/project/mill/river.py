import anyio


async def dam(port):
    return await anyio.connect_tcp("127.0.0.1", port)
