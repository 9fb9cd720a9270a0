import asyncio

loop = asyncio.get_event_loop()
found = loop.run_until_complete(survey(beds))
print("plots:", len(found))
