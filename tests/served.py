"""A web server for tests: serves bytes from memory, with Range, and misbehaves on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Site:
    """What is served, how it misbehaves, and what was asked.

    Attributes:
        files: by path, such as /a.zip.
        cuts: after how many bytes the coming answers break off, one entry each; None answers fully.
        statuses: refusals for the coming requests, one entry each; None answers normally.
        ranges: whether Range is understood.
        asked: (path, Range header or None) of each request.
    """

    files: dict[str, bytes]
    cuts: list[int | None] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def served(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            status = site.statuses.pop(0) if site.statuses else None
            if status is not None or self.path not in site.files:
                self.send_error(status or 404)
                return
            data, start = site.files[self.path], 0
            if wanted and site.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(data):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(data)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            cut = site.cuts.pop(0) if site.cuts else None
            self.wfile.write(data[start:] if cut is None else data[start : start + cut])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
