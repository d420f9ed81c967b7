"""Nothing that a provider may take for a completion gets past the quota, and what an answer cost is read from it."""

import gzip
import json
import zlib

from stand import USAGE, Provider, Proxy, chat, completed, get, reply, request, stream

SPENT = ("x-ratelimit-limit-tokens-minute: 1000\r\nx-ratelimit-remaining-tokens-minute: {}\r\n"
         "x-ratelimit-reset-tokens-minute: 40\r\n")
NOW = ["Prefer: wait=0"]


def test_other_spellings_of_a_path():
    """The only request of the minute is spent; whoever spells the path otherwise waits as well."""
    spellings = ["/v1/chat/completions/", "/v1/chat/complet%69ons", "/v1/chat%2Fcompletions", "/v1/chat/completions/./",
                 "/v1/chat/x/../completions", "/v1/chat/completions/y/%2e%2e", "/v1//chat//completions", "/v1/chat/completions;v=1",
                 "/v1/CHAT/completions", "/v1/chat/completions%20", "/v1/chat/%2563ompletions", "/v1/chat/completions%3Fa"]
    with Provider() as provider, Proxy(provider, {"limits": {"m": {"rpm": 1}}}) as proxy:
        assert proxy.ask(chat()).status == 200
        passed = [s for s in spellings if proxy.ask(chat(fields=NOW, path=s)).status != 429]
        assert not passed, passed
        assert proxy.ask(get("/v1/models")).status == 200


def test_bodies_that_lenient_servers_read():
    """The model's minute is spent; its requests in other encodings go by the same quota, and unreadable ones by the strictest."""
    text = json.dumps({"model": "m", "messages": []})
    plain = text.encode()
    odd = {"utf-16": (text.encode("utf-16"), ""), "utf-16-be": (text.encode("utf-16-be"), ""), "utf-32": (text.encode("utf-32"), ""),
           "utf-32-le": (text.encode("utf-32-le"), ""), "mark": (b"\xef\xbb\xbf" + plain, ""),
           "NaN": (b'{"t":NaN,' + plain[1:], ""), "more behind": (plain + b" {", ""), "not UTF-8": (b'{"a":"\xff",' + plain[1:], ""),
           "gzip": (gzip.compress(plain), "gzip"), "deflate": (zlib.compress(plain), "deflate"), "twice identity": (plain, "identity, identity"),
           "MessagePack": (b"\x82\xa5model\xa1m\xa8messages\x90", ""), "unknown coding": (b"\x28\xb5\x2f\xfd", "zstd"), "no JSON": (b"model: m", "")}
    with Provider() as provider, Proxy(provider, {"limits": {"m": {"rpm": 1}}}) as proxy:
        assert proxy.ask(chat()).status == 200
        passed = [name for name, (body, coding) in odd.items()
                  if proxy.ask(request(body, fields=NOW + ([f"Content-Encoding: {coding}"] if coding else []))).status != 429]
        assert not passed, passed
        assert proxy.ask(chat("other", NOW)).status == 200


def cost_of(answer, streams=False):
    with Provider(lambda seen, c: answer) as provider, Proxy(provider) as proxy:
        assert proxy.ask(chat(stream=streams)).complete
        return proxy.tokens()


def test_usage_in_any_form():
    """Fractions, exponents, several lines of data, gzip, and much text behind it."""
    events = json.dumps({"choices": [], "usage": USAGE}, indent=1).splitlines()
    in_lines = "".join(f"data: {line}\r\n" for line in events).encode() + b"\r\n"
    late_zeros = b'data: {"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n'
    coded = zlib.compressobj(wbits=31)
    pieces = [coded.compress(in_lines) + coded.flush(zlib.Z_SYNC_FLUSH), coded.flush()]
    numbers = {"prompt_tokens": 10.0, "completion_tokens": 4.2, "total_tokens": 14.2}
    answers = {"fractions": reply(completed(usage=numbers)),
               "an exponent": reply(b'{"usage":{"prompt_tokens":1e1,"completion_tokens":5}}'),
               "lines": stream(in_lines, b"data: [DONE]\n\n"),
               "zeros behind": stream(in_lines, late_zeros),
               "gzip": reply(gzip.compress(json.dumps(completed()).encode()), fields="Content-Encoding: gzip\r\n"),
               "gzip events": stream(*pieces, fields="Content-Encoding: gzip\r\n"),
               "text behind": reply(completed(logprobs="x" * 60_000)), "text before": reply({"text": "x" * 60_000, **completed()})}
    wrong = {name: cost for name, a in answers.items() if (cost := cost_of(a, a.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text"))) != 15}
    assert not wrong, wrong


def test_coded_bytes_pass_unchanged():
    body = gzip.compress(json.dumps(completed()).encode())
    with Provider(lambda seen, c: reply(body, fields="Content-Encoding: gzip\r\n")) as provider, Proxy(provider) as proxy:
        answer = proxy.ask(chat())
        assert answer.body == body and answer.field("content-encoding") == "gzip"


def test_usage_beyond_belief():
    """One absurd figure does not stop a model whose headers say that most is left."""
    def answer(seen, c):
        usage = {"prompt_tokens": 5, "total_tokens": 10**11} if len(provider.seen) == 1 else USAGE
        return reply({"usage": usage}, fields=SPENT.format(900))
    with Provider(answer) as provider, Proxy(provider, {"queue": {"max_wait": "24h"}, "rate_limits": {"use_headers": True}}) as proxy:
        proxy.ask(chat())
        later = proxy.ask(chat(fields=["Prefer: wait=1"]))
        assert later.status == 200 or int(later.field("retry-after")) <= 120, later.field("retry-after")


def test_less_than_nothing_left():
    with Provider(lambda seen, c: reply(completed(), fields=SPENT.format(-20))) as provider, \
            Proxy(provider, {"rate_limits": {"use_headers": True}}) as proxy:
        assert [proxy.ask(chat(fields=NOW)).status for _ in range(3)] == [200, 429, 429]


def test_made_up_models_do_not_refill_a_day():
    """A day's only request is spent; neither that is forgotten for 1,200 other names, nor are they kept as labels."""
    def answer(seen, c):
        known = json.loads(seen.body)["model"] == "m"
        return reply(completed()) if known else reply({"message": "no such model"}, "404 Not Found")
    with Provider(answer) as provider, Proxy(provider, {"limits": {"m": {"rpd": 1}}, "queue": {"max_wait": "1s"}}, log={"level": "info"}) as proxy:
        assert proxy.ask(chat()).status == 200
        c = proxy.client()
        for i in range(1200):
            assert c.send(chat(f"made-up-{i}")).read().status == 404
        assert proxy.ask(chat()).status == 429
        assert "made-up" not in proxy.metrics()
