import uvloop

from atlas import server
from atlas.tiles import TileSource


async def main(port):
    source = await TileSource.over(port)
    tiles = [await source.tile(x) for x in range(3)]
    print("tiles:", len(tiles))
    return source


source = uvloop.run(main(server.start()))
del source
print("server heard bye:", server.HEARD_BYE.wait(0.5))
print("atlas folded")
