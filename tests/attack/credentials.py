"""Keys and tokens go where they belong, and nowhere else."""

from stand import Provider, Proxy, chat, completed, get, reply, request, within

KEY = "csk-our-own-key"


def test_no_credential_of_a_client_goes_on_beside_ours():
    with Provider() as provider, Proxy(provider, {"api_key": KEY}, {"auth_tokens": ["our-token"]}) as proxy:
        fields = ["Authorization: Bearer our-token", "X-Api-Key: our-token", "Api-Key: our-token", "X-Goog-Api-Key: other"]
        assert proxy.ask(chat(fields=fields)).status == 200
        head = provider.seen[-1].head
        assert b"our-token" not in head and b"other" not in head and head.count(KEY.encode()) == 1, head


def test_a_token_of_ours_is_never_the_providers_key():
    with Provider() as provider, Proxy(provider, server={"auth_tokens": ["our-token"]}) as proxy:
        proxy.ask(chat(fields=["Authorization: Bearer our-token"]))
        assert all(b"our-token" not in s.head for s in provider.seen)


def test_the_providers_answer_does_not_show_our_key():
    echo = f"X-Echo: Bearer {KEY}\r\nX-Other: fine\r\n"
    with Provider(lambda seen, c: reply(completed(), f"200 {KEY}", echo)) as provider, Proxy(provider, {"api_key": KEY}) as proxy:
        raw = proxy.client().send(chat()).read_until(b"}}")
        assert raw.startswith(b"HTTP/1.1 200") and KEY.encode() not in raw and b"X-Other: fine" in raw, raw


def test_each_key_has_budgets_of_its_own_in_any_field():
    for name in ("Authorization", "X-Api-Key", "Api-Key"):
        with Provider() as provider, Proxy(provider, {"rpm_limit": 1, "queue": {"max_wait": "0s"}}) as proxy:
            assert [proxy.ask(chat(fields=[f"{name}: {key}"])).status for key in ("a", "b", "a")] == [200, 200, 429], name


def test_a_pause_holds_keys_that_come_later():
    with Provider() as provider, Proxy(provider) as proxy:
        proxy.ask(chat(fields=["Authorization: Bearer a"]))
        pause = request({"model": "m"}, "/scopes/pause", host=f"127.0.0.1:{proxy.admin}")
        assert proxy.admin_ask(pause).status == 200
        for key in ("a", "b"):
            assert proxy.ask(chat(fields=[f"Authorization: Bearer {key}", "Prefer: wait=0"])).status == 429, key
        assert proxy.admin_ask(pause.replace(b"pause", b"resume")).status == 200
        assert proxy.ask(chat(fields=["Authorization: Bearer c"])).status == 200


def test_a_reload_to_another_provider_takes_its_key_along():
    """One waits in the queue, one is half sent; neither brings the old key or host to the new provider."""
    with Provider() as old, Provider() as new, \
            Proxy(old, {"api_key": "old-key-1234", "limits": {"m": {"rpm": 1}}}) as proxy:
        proxy.ask(chat())
        waiting = proxy.client().send(chat())
        data = chat("other")
        sending = proxy.client().send(data[:-10])
        assert within(lambda: proxy.queued() == 1)
        proxy.reload(base_url=new.url, api_key="new-key-1234", limits={})
        sending.send(data[-10:])
        assert waiting.read().status == 200 and sending.read().status == 200
        for seen in new.seen:
            assert b"old-key" not in seen.head and str(old.port).encode() not in seen.head, seen.head
        assert all(b"new-key" not in seen.head for seen in old.seen)


def test_targets_stay_below_the_path_of_base_url():
    with Provider() as provider, Proxy(provider.url + "/tenant/v", {"api_key": KEY}) as proxy:
        for target in ("/../admin", "/%2e%2e/admin", "/..%2fadmin", "/..;/admin", "/\\..\\admin", "/a/../../admin", "http://x/../admin"):
            assert proxy.ask(get(target), method="GET").status == 400 and not provider.seen, target
        assert proxy.ask(get("/v1/models"), method="GET").status == 200 and "/tenant/v/v1/models" in provider.seen[-1].line
