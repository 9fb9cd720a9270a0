import logging

from quart import Blueprint, current_app

pages = Blueprint("pages", __name__)
log = logging.getLogger("labeller")


@pages.get("/<text>")
async def label(text):
    said = await current_app.config["OUTLET"].put(text)
    if said != "ok":
        log.warning("printer says: %s", said)
    return {"label": text}
