"""Starts a web application with its server, asks it, and stops it with SIGTERM: `MODULE:NAME PATH…`."""

import importlib
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.getcwd())
STARTED = 20.0


def load(name):
    module, _, attribute = name.partition(":")
    found = importlib.import_module(module)
    for part in attribute.rstrip("()").split("."):
        found = getattr(found, part)
    return found() if attribute.endswith("()") else found


def ask(base, paths):
    for path in paths:
        try:
            with urllib.request.urlopen(base + path, timeout=10) as response:
                status, body = response.status, response.read(4096)
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read(4096)
        except OSError as error:
            print("GET", path, "->", type(error).__name__, flush=True)
            continue
        print("GET", path, "->", status, body.decode("utf-8", "replace").replace("\n", " "), flush=True)


def serve_asgi(app, paths):
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="auto"))

    def client():
        end = time.monotonic() + STARTED
        while not server.started and time.monotonic() < end and not server.should_exit:
            time.sleep(0.01)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            ask("http://127.0.0.1:%d" % port, paths)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=client, name="loopmend", daemon=True)
    asking.start()
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    if not server.started:
        sys.exit(3)


def serve_wsgi(app, paths):
    client = app.test_client()
    for path in [path for path in paths for _ in range(2)]:
        response = client.get(path)
        print("GET", path, "->", response.status_code, response.get_data(as_text=True).strip().replace("\n", " "), flush=True)


def serve_aiohttp(app, paths):
    import asyncio

    from aiohttp import web

    async def run():
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            base = "http://127.0.0.1:%d" % runner.addresses[0][1]
            await asyncio.get_running_loop().run_in_executor(None, ask, base, paths)
        finally:
            await runner.cleanup()

    asyncio.run(run())


def main():
    # What uvicorn's own signal handling raises again after the end is the end that was asked for.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    app, paths = load(sys.argv[1]), sys.argv[2:] or ["/"]
    if hasattr(app, "test_client"):
        serve_wsgi(app, paths)
    elif type(app).__module__.startswith("aiohttp."):
        serve_aiohttp(app, paths)
    else:
        serve_asgi(app, paths)


if __name__ == "__main__":
    main()
