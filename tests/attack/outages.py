"""What one client or one bad connection brings about is not taken for the provider's failure."""

import contextlib
import resource
import socket
import struct
import threading

from stand import Provider, Proxy, chat, completed, get, reply


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def test_kept_connections_that_died_open_no_breaker():
    together = threading.Barrier(5)
    died = threading.Event()
    old = set()

    def answer(seen, c):
        if died.is_set() and c in old:
            reset(c)
            return False
        if not died.is_set():
            old.add(c)
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(5)
        return reply(completed())

    with Provider(answer) as provider, Proxy(provider) as proxy:
        def five():
            clients = [proxy.client().send(chat()) for _ in range(5)]
            return [c.read(8).status for c in clients]
        assert five() == [200] * 5
        died.set()
        assert five() == [200] * 5
        assert proxy.ask(chat()).field("x-circuitbreaker-state") == "CLOSED"


def test_requests_that_a_provider_cannot_serve_open_no_breaker():
    def answer(seen, c):
        return reply(completed()) if seen.line.startswith("POST") else reply({}, "501 Not Implemented")
    with Provider(answer) as provider, Proxy(provider) as proxy:
        for _ in range(6):
            proxy.ask(get("/v1/x").replace(b"GET", b"FOO"))
        assert proxy.ask(chat()).status == 200


def test_idle_clients_do_not_take_the_providers_descriptors():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    with Provider() as provider, Proxy(provider, {"retries": 0}, preexec_fn=few) as proxy:
        honest = [proxy.client() for _ in range(4)]
        idle = []
        with contextlib.suppress(OSError):
            for _ in range(150):
                idle.append(socket.create_connection(("127.0.0.1", proxy.port), 0.3))
        answers = [c.send(chat()).read(5) for c in honest]
        assert all(a and a.status == 200 for a in answers), answers
        for c in idle:
            c.close()
        assert proxy.ask(chat(), 5).status == 200


def test_idle_connections_give_way_to_newcomers():
    with Provider() as provider, Proxy(provider, server={"max_connections": 20}) as proxy:
        idle = [proxy.client() for _ in range(20)]
        for c in idle:
            assert c.send(get("/health")).read().status == 200
        newcomer = proxy.ask(chat(), 5)
        assert newcomer and newcomer.status == 200
