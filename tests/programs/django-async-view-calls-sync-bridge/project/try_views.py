import asyncio
import logging

import django
from django.conf import settings

settings.configure(ROOT_URLCONF="bakery.views", ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
django.setup()
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")

from django.test import AsyncClient, Client  # noqa: E402


async def live():
    client = AsyncClient(raise_request_exception=False)
    answer = await client.get("/async/rye")
    print("GET /async/rye ->", answer.status_code, answer.content.decode()[:30].strip())


answer = Client().get("/sync/rye")
print("GET /sync/rye ->", answer.status_code, answer.content.decode())
asyncio.run(live())
print("bakery shut")
