from sanic import Blueprint
from sanic.response import text

from .courier import Courier

desk = Blueprint("desk")


@desk.get("/send")
async def send(request):
    return text(await request.app.ctx.courier.frank())


@desk.post("/rotate")
async def rotate(request):
    app = request.app
    app.ctx.courier = Courier(app.config.FRANKING, app.ctx.courier.desk + 1)
    return text(f"desk {app.ctx.courier.desk}")


@desk.get("/frank")
async def frank(request):
    return text("desk " + request.headers["x-desk"])
