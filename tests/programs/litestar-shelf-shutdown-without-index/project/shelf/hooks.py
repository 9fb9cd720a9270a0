from .index import ShelfIndex


async def attach_index(app):
    app.state.shelf_index = await ShelfIndex.dial(app.state.port)


async def detach_index(app):
    await app.state.shelf_index.hang_up()
