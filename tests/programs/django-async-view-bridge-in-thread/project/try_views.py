import asyncio
import logging

import django
from django.conf import settings

settings.configure(ROOT_URLCONF="bakery.views", ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
django.setup()
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")

from django.test import AsyncClient  # noqa: E402


async def live():
    for kind in ("rye", "slate"):
        answer = await AsyncClient().get(f"/async/{kind}")
        print(f"GET /async/{kind} ->", answer.status_code)


asyncio.run(live())
print("bakery shut")
