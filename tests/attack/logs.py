"""What peers write stays a value, wherever it is shown."""

import json
import subprocess

from stand import Provider, Proxy, chat, get, within

HOSTILE = ["a\nb", "a\rb", "a\x1b[2J", "a\x9b2J", "a\x9d0;t\x9c", "a\u2028b", "a\u202eb", "a\u2066b", "a\x7f", "a\x00b", "a\ufeffb",
           "m status=200 tokens=0", 'm" status=200 "', "m\\", 'm"} 1\nforged_total{x="', "\U000e0041"]
TURNING = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def obeyed(text):
    return [c for c in text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in TURNING)]


def after_hostile_requests(proxy):
    for model in HOSTILE:
        assert proxy.ask(chat(model)).status == 200
    for target in ("/v1/x\"y", "/v1/\\n", "/v1/%1b"):
        proxy.ask(get(target), method="GET")
    count = len(HOSTILE) + 3
    lines = lambda: [line for line in proxy.log().split("\n") if "access" in line]
    assert within(lambda: len(lines()) >= count), proxy.log()
    return lines()


def test_text_log_is_one_unforgeable_line_a_request():
    with Provider() as provider, Proxy(provider) as proxy:
        for line in after_hostile_requests(proxy):
            assert not obeyed(line) and line.count(" status=") == 1 and line.count('"') == 2, line


def test_json_log_is_json_and_harmless():
    with Provider() as provider, Proxy(provider, log={"format": "json"}) as proxy:
        models = [json.loads(line)["model"] for line in after_hostile_requests(proxy)]
        assert models[:len(HOSTILE)] == HOSTILE, models
        assert not obeyed(proxy.log())


def test_a_terminal_shows_names_and_does_not_obey_them():
    with Provider() as provider, Proxy(provider) as proxy:
        after_hostile_requests(proxy)
        shown = subprocess.run([proxy.process.args[0], "status", "--admin", f"http://127.0.0.1:{proxy.admin}"], capture_output=True, timeout=20)
        assert shown.returncode == 0 and not obeyed(shown.stdout.decode()), shown
        assert not obeyed(proxy.admin_ask(get("/status")).body.decode())
        assert "\nforged" not in proxy.metrics()
