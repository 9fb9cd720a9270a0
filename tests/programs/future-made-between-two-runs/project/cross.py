import asyncio

from ferry.boat import Boat
from ferry.tides import load


def main():
    table = asyncio.run(load())
    print("tide table:", len(table), "rows")
    boat = Boat("Dunoon")
    print(asyncio.run(boat.cross(3)))
    print("harbour quiet")


main()
