"""What the situations share: a provider that answers as told, the proxy under test, and clients that send bytes."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

PROXY = os.environ.get("COOLDOWN_PROXY", "")
PATIENCE = 15
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
ROOMY = {"rpm_limit": 1_000_000, "tpm_limit": 1_000_000_000}


def within(condition, seconds=PATIENCE):
    """Waits until it is so; False when it never is."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def reply(body=b"", status="200 OK", fields="", kind="application/json"):
    """An answer with a length."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return lines.encode("latin-1") + body


def completed(**more):
    return {"id": "c", "object": "chat.completion", "choices": [{"message": {"content": "hello"}}], "usage": USAGE, **more}


def refused(message, fields="", **error):
    return reply({"error": {"message": message, **error}}, "429 Too Many Requests", fields)


def stream(*pieces, fields=""):
    """An event stream in chunks."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n{fields}\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def request(body, path="/v1/chat/completions", fields=(), method="POST", host="localhost"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines + list(fields) + ["", ""]).encode("latin-1") + body


def chat(model="m", fields=(), path="/v1/chat/completions", **more):
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 10, **more}
    return request(body, path, fields)


def get(path, fields=(), host="localhost"):
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode("latin-1")


class Seen:
    def __init__(self, head, body):
        self.line, *self.fields = head.decode("latin-1").split("\r\n")
        self.head, self.body = head, body


class Provider:
    """`answer(seen, connection)` returns bytes, None once it has written itself, or False to close. `raw(connection)`
    takes whole connections."""

    def __init__(self, answer=None, raw=None, tls=None):
        self.answer = answer or (lambda seen, c: reply(completed()))
        self.raw, self.tls = raw, tls
        self.seen, self.connections = [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = ("https://localhost:%d" if tls else "http://127.0.0.1:%d") % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                c = self.listener.accept()[0]
                self.connections.append(c)
                threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        with contextlib.suppress(OSError, ValueError), c:
            c.settimeout(60)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True)
            if self.raw:
                return self.raw(c)
            came = b""
            while True:
                while b"\r\n\r\n" not in came:
                    came += c.recv(1 << 16) or self._gone()
                head, came = came.split(b"\r\n\r\n", 1)
                size = next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), 0)
                while len(came) < size:
                    came += c.recv(1 << 20) or self._gone()
                self.seen.append(Seen(head, came[:size]))
                came = came[size:]
                out = self.answer(self.seen[-1], c)
                if out is False:
                    return None
                if out:
                    c.sendall(out)

    @staticmethod
    def _gone():
        raise OSError("gone")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for c in self.connections:
            with contextlib.suppress(OSError):
                c.shutdown(socket.SHUT_RDWR)


class Answer:
    def __init__(self, status, fields, body, complete):
        self.status, self.fields, self.body, self.complete = status, fields, body, complete

    def field(self, name):
        return self.fields.get(name)


class Client:
    """One connection. read() gives None where no answer comes in time."""

    def __init__(self, port, tls=False):
        self.s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.s = context.wrap_socket(self.s)

    def send(self, data):
        self.s.sendall(data)
        return self

    def read(self, seconds=PATIENCE, method="POST"):
        self.s.settimeout(seconds)
        answer = http.client.HTTPResponse(self.s, method=method)
        complete = True
        try:
            answer.begin()
            body = answer.read()
        except http.client.IncompleteRead as cut:
            body, complete = cut.partial, False
        except (socket.timeout, http.client.HTTPException, OSError):
            return None
        return Answer(answer.status, answer.headers, body, complete)

    def read_until(self, end, seconds=PATIENCE):
        self.s.settimeout(seconds)
        out = b""
        with contextlib.suppress(OSError):
            while end not in out:
                piece = self.s.recv(1 << 16)
                if not piece:
                    break
                out += piece
        return out

    def close(self):
        self.s.close()


class Proxy:
    """Started with the configuration given as nested dictionaries, on ports of the system's choice."""

    def __init__(self, provider, cerebras=None, server=None, log=None, **run):
        self.directory = tempfile.TemporaryDirectory(prefix="attack-")
        self.path = pathlib.Path(self.directory.name)
        self.log_file = self.path / "log"
        self.settings = {
            "server": {"host": "127.0.0.1", "port": 0, **(server or {})},
            "admin": {"host": "127.0.0.1", "port": 0},
            "cerebras": {"base_url": getattr(provider, "url", provider), **ROOMY, **(cerebras or {})},
            "logging": {"level": "info", **(log or {})},
        }
        self.write()
        self.err = open(self.log_file, "wb")
        self.process = subprocess.Popen([PROXY, "--config", self.config], stdout=subprocess.DEVNULL, stderr=self.err,
                                        **run)
        if not within(lambda: self._port("admin on") or self.process.poll() is not None) or self.process.poll() is not None:
            raise AssertionError("the proxy did not start: " + self.log())
        self.port, self.admin = self._port("listening on"), self._port("admin on")

    def write(self):
        self.config = str(self.path / "config.yaml")
        pathlib.Path(self.config).write_text(json.dumps(self.settings))  # JSON is YAML

    def _port(self, words):
        for line in self.log().splitlines():
            if words in line:
                return int(line.rstrip('"}/').rsplit(":", 1)[1])
        return None

    def log(self):
        return self.log_file.read_bytes().decode("utf-8", "surrogateescape")

    def reload(self, **cerebras):
        count = self.log().count("configuration reloaded")
        self.settings["cerebras"].update(cerebras)
        self.write()
        self.process.send_signal(signal.SIGHUP)
        assert within(lambda: self.log().count("configuration reloaded") > count), self.log()

    def client(self):
        return Client(self.port, tls="tls" in self.settings["server"])

    def ask(self, data, seconds=PATIENCE, method="POST"):
        c = self.client()
        try:
            return c.send(data).read(seconds, method)
        finally:
            c.close()

    def admin_ask(self, data):
        c = Client(self.admin)
        try:
            return c.send(data).read(method="GET")
        finally:
            c.close()

    def status(self):
        return json.loads(self.admin_ask(get("/status")).body)

    def metrics(self):
        return self.admin_ask(get("/metrics")).body.decode()

    def queued(self):
        return self.status()["queue"]["length"]

    def tokens(self):
        """That the last answer was read to have cost."""
        return self.status()["recent"][-1]["tokens"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.err.close()
        self.directory.cleanup()


def certificate(directory, name="server"):
    """A self-signed one for localhost; its key and its file."""
    key, cert = f"{directory}/{name}.key", f"{directory}/{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "3", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return key, cert


def server_context(key, cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
