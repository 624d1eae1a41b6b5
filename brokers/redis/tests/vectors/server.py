"""A redis-server of a script's own."""

import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager


@contextmanager
def redis_server():
    """Starts a server on a free port of the loopback interface, and yields its URL."""
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is missing, run scripts/install-servers")
    with tempfile.TemporaryDirectory() as directory, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", directory]
        with subprocess.Popen(["redis-server", *settings], stdout=subprocess.PIPE, text=True) as server:
            try:
                log = []
                for line in server.stdout:
                    log.append(line)
                    if "Ready to accept connections" in line:
                        break
                else:
                    sys.exit("redis-server does not start:\n" + "".join(log))
                yield f"redis://127.0.0.1:{port}"
            finally:
                server.kill()
