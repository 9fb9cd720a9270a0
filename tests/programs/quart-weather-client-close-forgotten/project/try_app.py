import asyncio

from forecast import create_app


async def main():
    app = create_app()
    async with app.test_app():
        answer = await app.test_client().get("/oslo")
        print("forecast:", answer.status_code)
    print("client closed:", app.config["GATEWAY"].http.is_closed)


asyncio.run(main())
print("served")
