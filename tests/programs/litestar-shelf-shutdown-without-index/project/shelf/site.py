from litestar import Litestar, Request, get
from litestar.datastructures import State

from .hooks import attach_index, detach_index


@get("/books/{word:str}")
async def books(request: Request, word: str) -> dict[str, str]:
    return {"found": await request.app.state.shelf_index.ask(word)}


def build(port):
    return Litestar(
        route_handlers=[books],
        on_startup=[attach_index],
        on_shutdown=[detach_index],
        state=State({"port": port}),
        logging_config=None,
    )
