import anyio
from anyio.from_thread import start_blocking_portal

from orchard.packers import pack
from orchard.pickers import pick


def main():
    with start_blocking_portal() as portal:
        picking = portal.start_task_soon(pick, 6)
        print("crates:", anyio.run(pack))
        picking.result()


main()
print("harvest over")
