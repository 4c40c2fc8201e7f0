"""A web server that misbehaves on request: what tests/test_fetch_http.c fetches from.

    python3 fetch_server.py FOLDER [CERTIFICATE KEY]

Serves the files of FOLDER on a free port of this machine only, prints the port and ends when its standard
input does. The first part of the path says how: /ok/NAME, /cut/NAME, ... (the methods below). /log gives the
requests so far, a line for each: the path and its Range header.
"""
import http.server
import os
import ssl
import sys
import threading
import time

FOLDER = sys.argv[1]
LOG = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        how, name = (self.path.strip("/").split("/") + [""])[:2]
        if how != "log":
            LOG.append(f"{self.path} {self.headers.get('Range', '-')}\n")
        path = os.path.join(FOLDER, name)
        self.bytes = b""
        if name and os.path.isfile(path):
            with open(path, "rb") as file:
                self.bytes = file.read()
        self.begin = 0
        if "Range" in self.headers:
            self.begin = int(self.headers["Range"].split("=")[1].rstrip("-"))
        getattr(self, "how_" + how, self.how_missing)(name)

    def head(self, status, length, **more):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        for key, value in more.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.close_connection = True

    def part(self, length=None):
        """The head of what was asked for, whole or from some byte on."""
        rest = len(self.bytes) - self.begin if length is None else length
        if self.begin:
            span = f"bytes {self.begin}-{len(self.bytes) - 1}/{len(self.bytes)}"
            self.head(206, rest, Content_Range=span)
        else:
            self.head(200, rest)

    def how_log(self, _):
        text = "".join(LOG).encode()
        self.head(200, len(text))
        self.wfile.write(text)

    def how_ok(self, _):
        if self.begin > len(self.bytes):
            return self.how_unsatisfied(_)
        self.part()
        self.wfile.write(self.bytes[self.begin:])

    def how_unsatisfied(self, _):
        """416 to whoever wants to go on."""
        if not self.begin:
            return self.how_ok(_)
        self.head(416, 0, Content_Range=f"bytes */{len(self.bytes)}")

    def how_norange(self, _):
        """Does not know of ranges."""
        self.begin = 0
        self.how_ok(_)

    def how_lie(self, _):
        """Goes on somewhere else than it was asked to, and says so."""
        if self.begin:
            self.begin //= 2
        self.how_ok(_)

    def how_cut(self, _):
        """Breaks off half-way through what is left."""
        self.part()
        half = (len(self.bytes) - self.begin) // 2
        self.wfile.write(self.bytes[self.begin:self.begin + half])

    def how_short(self, _):
        """Ends too early, and calls it the end."""
        self.bytes = self.bytes[:len(self.bytes) // 2]
        self.how_ok(_)

    def how_stall(self, _):
        """Sends half, then nothing."""
        self.part()
        self.wfile.write(self.bytes[self.begin:self.begin + (len(self.bytes) - self.begin) // 2])
        self.wfile.flush()
        time.sleep(20)

    def how_slow(self, _):
        """A piece now and then: longer in all than anybody waits for one."""
        self.part()
        rest = self.bytes[self.begin:]
        for i in range(8):
            self.wfile.write(rest[len(rest) * i // 8:len(rest) * (i + 1) // 8])
            self.wfile.flush()
            time.sleep(0.25)

    def how_silent(self, _):
        time.sleep(20)

    def how_long(self, _):
        self.bytes += b"!" * 1000
        self.how_ok(_)

    def how_endless(self, _):
        """No length, and no end."""
        self.head(200, None)
        for _ in range(100000):
            self.wfile.write(b"0" * 65536)

    def how_wrong(self, _):
        self.bytes = bytes(len(self.bytes))
        self.how_ok(_)

    def how_html(self, _):
        """A page that says 404 and is sent as 200."""
        self.bytes = b"<html><body>Not Found</body></html>"
        self.begin = 0
        self.how_ok(_)

    def how_missing(self, _):
        self.head(404, 9)
        self.wfile.write(b"not found")

    def how_broken(self, _):
        self.head(500, 0)

    def how_garbage(self, _):
        self.wfile.write(b"220 this is not the protocol you are looking for\r\n")
        self.close_connection = True

    def how_moved(self, name):
        self.head(302, 5, Location=f"/ok/{name}")
        self.wfile.write(b"moved")

    def how_circle(self, name):
        self.head(302, 0, Location=f"/circle/{name}")

    def how_tofile(self, name):
        self.head(302, 0, Location="file://" + os.path.join(FOLDER, name))

    def how_toftp(self, name):
        self.head(302, 0, Location="ftp://127.0.0.1/" + name)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # who hangs up is no news here
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
