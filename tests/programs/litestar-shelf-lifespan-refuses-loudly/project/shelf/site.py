from litestar import Litestar, get
from litestar.datastructures import State

from .life import shelf_life


@get("/")
async def front() -> str:
    return "shelf"


def build(port):
    return Litestar([front], lifespan=[shelf_life], state=State({"port": port}), logging_config=None)
