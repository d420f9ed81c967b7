"""Odd answers of a provider reach the right client, in a form that it understands, and nobody else."""

import gzip
import json
import tempfile
import threading
import time

from stand import Provider, Proxy, certificate, chat, completed, get, refused, reply, server_context, within

DATED = "Date: Tue, 24 Nov 2026 00:00:00 GMT\r\n"


def test_every_forwarded_answer_has_one_date():
    for fields in ("", DATED, DATED * 2):
        with Provider(lambda seen, c: reply(completed(), fields=fields)) as provider, Proxy(provider) as proxy:
            dates = proxy.ask(chat()).fields.get_all("date")
            assert len(dates) == 1 and (not fields or dates[0] == DATED[6:-2]), dates


def late(answer, close=False):
    """What a stream gets that comments have begun already, and whether its connection is of use afterwards."""
    released = threading.Event()

    def serve(seen, c):
        if len(provider.seen) == 1:
            released.wait(10)
            return reply(completed())
        c.sendall(answer)
        return False if close else None

    cerebras = {"retries": 0, "queue": {"keepalive_after": "100ms", "max_in_flight": 1}, "timeouts": {"idle": "3s"}}
    with Provider(serve) as provider, Proxy(provider, cerebras) as proxy:
        first = proxy.client().send(chat())
        assert within(lambda: provider.seen)
        streaming = proxy.client().send(chat(stream=True))
        began = streaming.read_until(b"\n\n")
        assert b"\r\nDate: " in began, began
        released.set()
        rest = streaming.read_until(b"0\r\n\r\n")
        first.close()
        return rest


def test_after_comments_every_other_answer_is_one_error_or_a_cut():
    error = json.dumps({"message": "no such model", "type": "t", "code": "c"}).encode()
    shown = {"flat": reply(error, "404 Not Found"), "coded": reply(gzip.compress(error), "404 Not Found", "Content-Encoding: gzip\r\n"),
             "page": reply(b"<html>", "502 Bad Gateway", kind="text/html"), "nothing": reply(b"", "401 Unauthorized"),
             "no content": b"HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n",
             "unasked": b"HTTP/1.1 304 Not Modified\r\nContent-Type: text/event-stream\r\n\r\n" + reply(b"POISON")}
    for name, answer in shown.items():
        rest = late(answer)
        events = [line[6:] for line in rest.split(b"\n") if line.startswith(b"data: ")]
        assert len(events) == 1 and json.loads(events[0])["error"]["message"] and b"POISON" not in rest, (name, rest)
        assert rest.endswith(b"0\r\n\r\n"), (name, rest)
        assert name not in ("flat", "coded") or b"no such model" in rest, (name, rest)
    too_large = late(reply(b"x" * 300_000, "500 Internal Server Error"))
    assert b"data: " not in too_large and not too_large.endswith(b"0\r\n\r\n"), too_large[-100:]


def test_an_early_refusal_is_passed_on_at_once():
    """The provider answers from the head and reads no more of a large body."""
    def early(c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.recv(65536)
        c.sendall(reply({"error": {"message": "too large"}}, "413 Content Too Large"))
        time.sleep(8)
    with Provider(raw=early) as provider, Proxy(provider, {"timeouts": {"first_byte": "6s"}, "retries": 0}) as proxy:
        began = time.monotonic()
        assert proxy.ask(chat(pad="x" * 12_000_000)).status == 413
        assert time.monotonic() - began < 5


def test_an_answer_that_nobody_asked_for_reaches_nobody():
    """It comes behind another, over plain connections and TLS, in the same segment or the same record."""
    with tempfile.TemporaryDirectory() as directory:
        key, cert = certificate(directory)
        for tls in (None, server_context(key, cert)):
            def answer(seen, c):
                c.sendall(reply({"to": len(provider.seen)}) + (reply(b"POISON") if len(provider.seen) == 1 else b""))
                if len(provider.seen) == 1:
                    c.sendall(reply(b"POISON"))
            cerebras = {"tls": {"ca_file": cert}} if tls else {}
            with Provider(answer, tls=tls) as provider, Proxy(provider, cerebras) as proxy:
                bodies = [proxy.ask(get(f"/v1/{i}"), method="GET").body for i in range(4)]
                assert all(b"POISON" not in body for body in bodies), bodies
                assert b"POISON" not in proxy.ask(chat()).body


def test_a_refusal_without_a_pause_is_not_repeated_at_once():
    for fields in ("retry-after: 0\r\n", "retry-after-ms: 0\r\n", "retry-after: 0.001\r\n", "Retry-After: Mon, 01 Jan 2024 00:00:00 GMT\r\n"):
        with Provider(lambda seen, c: refused("Rate limit exceeded", fields, code="rate_limit_exceeded")) as provider, \
                Proxy(provider, {"rate_limits": {"use_headers": True}}) as proxy:
            proxy.ask(chat(fields=["Prefer: wait=60"]), seconds=2)
            assert len(provider.seen) <= 10, (fields, len(provider.seen))


def test_a_quota_that_advertises_is_waited_for():
    def answer(seen, c):
        text = "Rate limit reached on tokens per minute (TPM). Need more? Add a payment method in settings/billing"
        return refused(text, "retry-after: 1\r\n", type="tokens", code="rate_limit_exceeded") if len(provider.seen) == 1 else reply(completed())
    with Provider(answer) as provider, Proxy(provider, {"rate_limits": {"use_headers": True}}) as proxy:
        assert proxy.ask(chat()).status == 200


def test_what_no_wait_cures_passes_at_once():
    spent = refused("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")
    with Provider(lambda seen, c: spent) as provider, Proxy(provider, {"rate_limits": {"use_headers": True}}) as proxy:
        assert proxy.ask(chat(), seconds=5).status == 429


def test_a_408_that_crosses_a_request_is_repeated():
    """It is about a connection that has rested; on a new one it would be about the request."""
    def answer(seen, c):
        rested = len(provider.seen) == 2
        return reply(b"", "408 Request Timeout", "Connection: close\r\n") if rested else reply(completed())
    with Provider(answer) as provider, Proxy(provider) as proxy:
        assert [proxy.ask(chat()).status for _ in range(2)] == [200, 200] and len(provider.seen) == 3
