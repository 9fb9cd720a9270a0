from sanic import Blueprint
from sanic.response import text

from .prices import PriceList

pages = Blueprint("pages")


@pages.before_server_start
async def fetch_list(app):
    app.ctx.prices = PriceList(app.config.BASE)


@pages.after_server_stop
async def drop_list(app):
    await app.ctx.prices.done()


@pages.get("/price/<fruit:str>")
async def price(request, fruit):
    return text(await request.app.ctx.prices.of(fruit))


@pages.get("/raw/<fruit:str>")
async def raw(request, fruit):
    return text("42")
