import asyncio


async def _poll_sensors():
    while True:
        await asyncio.sleep(1)


async def _start_polling():
    task = asyncio.create_task(_poll_sensors())
    await asyncio.sleep(3)
    return task


def poll_for_a_while():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_start_polling())
    loop.close()


if __name__ == "__main__":
    poll_for_a_while()
