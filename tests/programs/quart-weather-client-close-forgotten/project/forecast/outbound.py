import httpx


class Gateway:
    def __init__(self):
        self.http = httpx.AsyncClient(timeout=3)

    def release(self):
        return self.http.aclose()


def install(app):
    @app.before_serving
    async def open_gateway():
        app.config["GATEWAY"] = Gateway()

    @app.after_serving
    async def shut_gateway():
        app.config["GATEWAY"].release()
