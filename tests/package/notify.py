"""The program runs as the unit starts it, with a notify socket of ours. Usage: notify.py ROOT"""
import os
import socket
import subprocess
import sys

root = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(root + "/tmp/notify")
manager.settimeout(20)
open(root + "/tmp/notify.yaml", "w").write("server: {port: 0}\nadmin: {port: 0}\n")
p = subprocess.Popen(["chroot", root, "env", "NOTIFY_SOCKET=/tmp/notify", "STATE_DIRECTORY=/tmp/state",
                      "cooldown-proxy", "--config", "/tmp/notify.yaml"])
assert b"READY=1" in manager.recv(4096)
p.terminate()
assert b"STOPPING=1" in manager.recv(4096)
assert p.wait(20) == 0
