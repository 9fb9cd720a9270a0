import asyncio


async def _import_rows():
    await asyncio.sleep(0)


def import_all():
    loop = asyncio.get_event_loop()
    loop.run_until_complete(_import_rows())


if __name__ == "__main__":
    import_all()
