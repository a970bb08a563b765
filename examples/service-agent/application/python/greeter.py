"""A service: any web server that listens on port 8000."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from langstream import Service


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"Hello, {self.path.strip('/') or 'you'}!\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Greeter(Service):
    """Greets whoever is named in the path."""

    def main(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 8000), _Handler)
        self.server.serve_forever()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
