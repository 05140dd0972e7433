"""A tiny program for the supervisor's tests: answers /readyz, ends on SIGTERM, or misbehaves.

`python fake_service.py PORT [--deaf | --failing | --unready]`
"""

from __future__ import annotations

import http.server
import signal
import sys


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"ready": true}'
        self.send_response(503 if "--unready" in sys.argv else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def main() -> None:
    """Serve until SIGTERM."""
    if "--failing" in sys.argv:
        sys.exit("the fake service was told to fail")
    # From here on SIGTERM is dealt with, before anyone can see the program as ready.
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Answer).serve_forever()


if __name__ == "__main__":
    main()
