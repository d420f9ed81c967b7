"""What an operator does takes effect, and what runs beside the proxy reaches it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from stand import Provider, Proxy, certificate, chat, completed, get, reply, server_context

ASK = """
import os, urllib.request as r
q = r.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", data=b"{}", headers={"Content-Type": "application/json"})
print(r.urlopen(q, timeout=10).status)
"""


def test_a_withdrawn_authority_is_not_trusted_after_a_reload():
    with tempfile.TemporaryDirectory() as directory:
        key, cert = certificate(directory, "one")
        _, other = certificate(directory, "two")
        trusted = shutil.copy(cert, directory + "/trusted.pem")
        answer = lambda seen, c: c.sendall(reply(completed(), fields="Connection: close\r\n")) or False
        with Provider(answer, tls=server_context(key, cert)) as provider, \
                Proxy(provider, {"retries": 0, "tls": {"ca_file": trusted}}) as proxy:
            assert proxy.ask(chat()).status == 200
            shutil.copy(other, trusted)
            proxy.reload()
            assert proxy.ask(chat()).status == 502 and len(provider.seen) == 1


def test_an_intermediate_authority_is_one():
    with tempfile.TemporaryDirectory() as directory:
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)
        pathlib.Path(directory, "ca").write_text("basicConstraints=critical,CA:TRUE\n")
        pathlib.Path(directory, "leaf").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        for name in ("root", "middle", "end"):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")
        openssl("req", "-new", "-x509", "-key", "root.key", "-subj", "/CN=root", "-days", "3", "-out", "root.pem")
        for name, by, kind in (("middle", "root", "ca"), ("end", "middle", "leaf")):
            openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr")
            openssl("x509", "-req", "-in", name + ".csr", "-CA", by + ".pem", "-CAkey", by + ".key", "-CAcreateserial", "-days", "3",
                    "-extfile", kind, "-out", name + ".pem")
        chain = pathlib.Path(directory, "chain.pem")
        chain.write_bytes(b"".join(pathlib.Path(directory, n).read_bytes() for n in ("end.pem", "middle.pem")))
        for authority in ("root", "middle"):
            with Provider(tls=server_context(directory + "/end.key", chain)) as provider, \
                    Proxy(provider, {"tls": {"ca_file": f"{directory}/{authority}.pem"}}) as proxy:
                assert proxy.ask(chat()).status == 200, authority


def test_a_command_reaches_its_proxy_behind_another():
    with Provider() as provider, Provider(lambda seen, c: reply(b"", "403 Forbidden")) as other, tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "c.yaml")
        config.write_text(f"cerebras: {{ base_url: {provider.url} }}\n")
        clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        for more in ({}, {"no_proxy": ".example"}):
            ran = subprocess.run([os.environ["COOLDOWN_PROXY"], "--config", config, "run", "--", sys.executable, "-c", ASK], timeout=30,
                                 env={**clean, "http_proxy": other.url, **more}, capture_output=True, text=True)
            assert ran.stdout.strip() == "200" and not other.seen, ran


def test_websocket_is_declined_at_once():
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    with Provider() as provider, Proxy(provider) as proxy:
        assert proxy.ask(get("/v1/responses", upgrade)).status == 426
        assert not provider.seen
        assert proxy.ask(get("/v1/models", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"])).status == 200
