"""Stands in for OpenAI's SDK where it is not installed, as on Debian 12: enough of it for README's snippet, and as strict about the key."""

import json
import os
import types
import urllib.request


class OpenAI:
    def __init__(self, api_key=None, base_url=None, timeout=600):
        self.key = api_key or os.environ.get("OPENAI_API_KEY")
        if not self.key:
            raise ValueError("The api_key client option must be set either by passing api_key or by OPENAI_API_KEY")
        self.timeout = timeout
        self.base_url = base_url or os.environ["OPENAI_BASE_URL"]
        self.chat = types.SimpleNamespace(completions=types.SimpleNamespace(create=self.create))

    def create(self, **body):
        ask = urllib.request.Request(self.base_url + "/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(ask, timeout=self.timeout) as answer:
            return json.load(answer, object_hook=lambda fields: types.SimpleNamespace(**fields))
