from flask import Flask

from .counter import counter


def create_app():
    app = Flask("till")
    app.register_blueprint(counter)
    return app
