from .courier import Courier


async def hire_courier(app):
    app.ctx.courier = Courier(app.config.FRANKING, 7)


async def dismiss_courier(app):
    await app.ctx.courier.go_home()


def attach(app):
    app.register_listener(hire_courier, "before_server_start")
    app.register_listener(dismiss_courier, "after_server_stop")
