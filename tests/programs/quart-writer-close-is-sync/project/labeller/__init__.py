from quart import Quart

from . import outlet, routes


def create_app():
    app = Quart("labeller")
    app.register_blueprint(routes.pages)
    outlet.install(app)
    return app
