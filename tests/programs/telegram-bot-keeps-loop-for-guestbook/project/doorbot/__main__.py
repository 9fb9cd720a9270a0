import asyncio
import logging

from telegram.ext import ApplicationBuilder

from .guestbook import Guestbook
from .handlers import first_visit
from .wire import DryRequest


def main():
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    guestbook = Guestbook()
    loop.run_until_complete(guestbook.open())
    application = (
        ApplicationBuilder()
        .token("1:x")
        .request(DryRequest())
        .get_updates_request(DryRequest())
        .post_init(first_visit)
        .build()
    )
    application.bot_data["guestbook"] = guestbook
    try:
        application.run_polling(stop_signals=None, close_loop=False)
    finally:
        loop.run_until_complete(guestbook.close())
        loop.close()
        print("good night")


main()
