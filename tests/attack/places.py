"""Nobody keeps a place, a body's room or a phase for longer than it may."""

import socket
import tempfile
import time

from stand import Provider, Proxy, certificate, chat, get, within


def test_places_of_clients_that_left_are_free():
    """Whatever stands unread behind their requests, over plain connections and TLS."""
    with tempfile.TemporaryDirectory() as directory:
        key, cert = certificate(directory)
        tls = {"tls": {"certificate_file": cert, "key_file": key}}
        for server, behind in (({}, b""), ({}, b"\r\n"), ({}, b"GET /v1/mo"), ({}, get("/v1/models")), (tls, b""), (tls, b"\r\n")):
            with Provider() as provider, Proxy(provider, {"limits": {"m": {"rpm": 1}}}, server) as proxy:
                proxy.ask(chat())
                clients = [proxy.client().send(chat()) for _ in range(5)]
                assert within(lambda: proxy.queued() == 5)
                for c in clients:
                    if behind:
                        c.send(behind)
                    c.close()
                assert within(lambda: proxy.queued() == 0, 5), (server, behind, proxy.queued())


def test_trickling_prolongs_no_phase():
    phases = {"head": (b"GET /v1/models HTTP/1.1\r\nX: ", b"a"), "fields": (b"GET /v1/models HTTP/1.1\r\n", b"a: b\r\n"),
              "body": (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n", b"a"),
              "chunks": (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n")}
    quick = {"header_timeout": "1s", "body_timeout": "1s"}
    with Provider() as provider, Proxy(provider, server=quick) as proxy:
        trickling = {name: proxy.client().send(begin) for name, (begin, _) in phases.items()}
        end = time.monotonic() + 8
        while trickling and time.monotonic() < end:
            time.sleep(0.3)
            for name, c in list(trickling.items()):
                c.s.settimeout(0.01)
                try:
                    c.send(phases[name][1])
                    ended = c.s.recv(100) is not None
                except socket.timeout:
                    ended = False
                except OSError:
                    ended = True
                if ended:
                    del trickling[name]
        assert not trickling, list(trickling)


def test_a_refusal_amid_an_upload_is_read():
    """The client sends all of its body first, and reads then."""
    for megabytes in (1, 8, 40):
        with Provider() as provider, Proxy(provider, server={"max_body_size": "512KiB"}) as proxy:
            body = b"x" * (megabytes << 20)
            c = proxy.client().send(b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
            answer = c.send(body).read()
            assert answer and answer.status == 413, megabytes
