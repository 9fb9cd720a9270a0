import asyncio

import httpx

catalogue_client = httpx.AsyncClient(base_url="http://catalogue.test")


async def fetch_item(number):
    response = await catalogue_client.get(f"/items/{number}")
    return response.json()


def fetch_twice():
    first = asyncio.run(fetch_item(1))
    second = asyncio.run(fetch_item(2))
    return first, second


if __name__ == "__main__":
    print(fetch_twice())
