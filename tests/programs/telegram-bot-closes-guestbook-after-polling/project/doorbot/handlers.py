import asyncio


async def first_visit(application):
    me = await application.bot.get_me()
    print("bot answered as", me.username)
    await application.bot_data["guestbook"].sign(me.username)
    asyncio.get_running_loop().call_later(0.1, application.stop_running)
