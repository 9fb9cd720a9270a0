import asyncio


async def _alarm_lines(path):
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        while line := await reader.readline():
            yield line
    finally:
        writer.close()
        await writer.wait_closed()


async def first_alarm(path):
    async for line in _alarm_lines(path):
        if line.startswith(b"ALARM"):
            return line
    return None


if __name__ == "__main__":
    asyncio.run(first_alarm("/run/alarms"))
