"""Web pages of other sites use neither port."""

from stand import Provider, Proxy, chat, get

OWN = "127.0.0.1:8080"


def test_a_page_of_another_site_spends_nothing():
    requests = {
        "a rebound name": get("/v1/files", host="evil.example:8080"),
        "a picture": get("/v1/models", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], OWN),
        "a frame": get("/v1/models", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], OWN),
        "a form": chat(fields=["Origin: https://evil.example"]),
        "a sandbox": chat(fields=["Origin: null"]),
    }
    with Provider() as provider, Proxy(provider, {"api_key": "csk-1234567"}) as proxy:
        for name, data in requests.items():
            assert proxy.ask(data).status in (403, 421), name
        assert not provider.seen, provider.seen[0].line
        assert proxy.admin_ask(get("/status", host="evil.example:8081")).status in (403, 421)


def test_the_users_own_programs_are_served():
    with Provider() as provider, Proxy(provider, {"api_key": "csk-1234567"}) as proxy:
        for host in ("localhost:1", "127.0.0.1:1", "[::1]:1"):
            assert proxy.ask(get("/v1/models", host=host), method="GET").status == 200, host
