from quart import Quart

from . import outbound, routes


def create_app():
    app = Quart("forecast")
    app.register_blueprint(routes.pages)
    outbound.install(app)
    return app
