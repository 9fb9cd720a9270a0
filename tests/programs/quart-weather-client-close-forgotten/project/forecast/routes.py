from quart import Blueprint, current_app

pages = Blueprint("pages", __name__)


@pages.get("/<town>")
async def town_page(town):
    gateway = current_app.config["GATEWAY"]
    return {"town": town, "timeout": gateway.http.timeout.read}
