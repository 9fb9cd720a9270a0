"""A transport that answers like the Bot API, without a network."""
import asyncio
import json

from telegram.error import NetworkError
from telegram.request import BaseRequest

ME = {"id": 7, "is_bot": True, "first_name": "Door", "username": "doorbot"}


class DryRequest(BaseRequest):
    read_timeout = 1
    polls = 0

    async def initialize(self):
        pass

    async def shutdown(self):
        pass

    async def do_request(self, url, method, request_data=None, **timeouts):
        call = url.rsplit("/", 1)[1]
        if call == "getUpdates":
            self.polls += 1
            await asyncio.sleep(0.02)
            if self.polls == 2:
                raise NetworkError("Bad Gateway")
        result = {"getMe": ME, "getUpdates": []}.get(call, True)
        return 200, json.dumps({"ok": True, "result": result}).encode()
