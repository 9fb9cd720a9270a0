import socketserver
import threading

HEARD_BYE = threading.Event()


class Tiles(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line == b"bye\n":
                HEARD_BYE.set()
                break
            self.wfile.write(b"tile " + line)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def start():
    server = Server(("127.0.0.1", 0), Tiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
