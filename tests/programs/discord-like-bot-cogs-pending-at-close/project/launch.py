import asyncio

from gullbot.bot import Gull

loop = asyncio.new_event_loop()
bot = Gull(["hello", "harbour", "bye"])
try:
    loop.run_until_complete(bot.start("gull.token"))
finally:
    loop.close()
print("presence:", bot.cogs[0].changes)
print("launcher ended")
