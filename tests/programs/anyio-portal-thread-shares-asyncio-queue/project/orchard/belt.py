import asyncio

belt = asyncio.Queue(maxsize=1)
END = object()
