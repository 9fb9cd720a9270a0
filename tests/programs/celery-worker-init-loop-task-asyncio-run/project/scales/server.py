import socketserver
import threading

WEIGHTS = {"letter": 12, "parcel": 30}


class Weigher(socketserver.StreamRequestHandler):
    def handle(self):
        for raw in self.rfile:
            self.wfile.write(b"%d\n" % WEIGHTS[raw.decode().strip()])


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def start():
    server = Server(("127.0.0.1", 0), Weigher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
