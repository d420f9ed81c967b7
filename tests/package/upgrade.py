"""Installs a newer version of the package over the running service while a request is in progress: the request is answered, and
the new program runs. Then `systemctl reload` must fail for a configuration with an error. Usage: upgrade.py ROOT FILE.deb"""
import http.client
import http.server
import os
import re
import subprocess
import sys
import threading
import time

root, deb = sys.argv[1:]


def text_of(name):
    try:
        with open(root + "/tmp/" + name) as f:
            return f.read()
    except FileNotFoundError:
        return ""


def until(so, what):
    for _ in range(600):
        found = so()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"package test: {what}; systemctl was asked:\n{text_of('systemctl.log')}service.log:\n{text_of('service.log')}")


def inside(*command):
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(["chroot", root, *command], stdout=subprocess.DEVNULL, env=environment).returncode


def port():
    found = re.findall(r"listening on http://127\.0\.0\.1:(\d+)", text_of("service.log"))
    return int(found[-1]) if found else None


def program():
    """The file that the service runs; a file that has been replaced is "… (deleted)"."""
    try:
        return os.readlink(f"/proc/{text_of('service.pid').strip()}/exe")
    except FileNotFoundError:
        return "(deleted)"


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers once the upgrade has asked for a restart: the request is in progress while the old program drains."""

    def do_POST(self):
        asked.set()
        restarting.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def ask(answers):
    client = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
    client.request("POST", "/v1/chat/completions", b"{}", {"Content-Type": "application/json"})
    answers.append(client.getresponse().status)


asked, restarting = threading.Event(), threading.Event()
provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=provider.serve_forever, daemon=True).start()
config = f"server: {{port: 0}}\nadmin: {{port: 0}}\ncerebras: {{base_url: 'http://127.0.0.1:{provider.server_port}'}}\n"
with open(root + "/tmp/config.yaml", "w") as f:
    f.write(config)

# The first installation has started it; with the provider of this test it starts once more.
until(port, "the installation did not start the service")
open(root + "/tmp/service.log", "w").close()
assert inside("systemctl", "restart", "cooldown-proxy.service") == 0
until(port, "the service did not start")
open(root + "/tmp/systemctl.log", "w").close()
answers = []
client = threading.Thread(target=ask, args=(answers,), daemon=True)
client.start()
assert asked.wait(30), "the request did not reach the provider"

newer = root + "/tmp/newer"
subprocess.run(["dpkg-deb", "-R", deb, newer], check=True)
control = open(newer + "/DEBIAN/control").read()
with open(newer + "/DEBIAN/control", "w") as f:
    f.write(re.sub(r"(?m)^(Version: .*)$", r"\1+newer", control))
subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", newer, root + "/tmp/newer.deb"], check=True, stdout=subprocess.DEVNULL)
upgrade = threading.Thread(target=lambda: upgraded.append(inside("dpkg", "-i", "/tmp/newer.deb")), daemon=True)
upgraded = []
upgrade.start()
until(lambda: "restart" in text_of("systemctl.log"), "the upgrade asked for no restart")
restarting.set()
upgrade.join(60)
assert upgraded == [0], f"dpkg -i of the newer version ended with {upgraded}"
client.join(60)
until(lambda: not program().endswith("(deleted)"), "the old program still runs after the upgrade")
assert answers == [200], f"the request in progress ended with {answers}"

assert inside("systemctl", "reload", "cooldown-proxy.service") == 0, "systemctl reload failed"
until(lambda: "configuration reloaded" in text_of("service.log"), "systemctl reload did not reload")
with open(root + "/tmp/config.yaml", "w") as f:
    f.write(config + "no_such_key: 1\n")
assert inside("systemctl", "reload", "cooldown-proxy.service") != 0, "systemctl reload hides that the configuration has an error"
