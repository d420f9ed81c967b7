"""Raw requests by name: sound, odd and hostile ones. Every one is sent on a connection of its own."""


def request(line=b"GET /a HTTP/1.1", fields=(b"Host: h",), body=b""):
    return b"\r\n".join([line, *fields, b"", b""]) + body


def with_field(*fields):
    return request(fields=(b"Host: h", *fields))


def post(*fields, body=b""):
    return request(b"POST /a HTTP/1.1", (b"Host: h", *fields), body)


def chunked(body, *fields):
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


LAST = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n"
SECOND = request(b"GET /second HTTP/1.1")


def lines():
    for name, line in {
        "get": b"GET /a HTTP/1.1", "query": b"GET /a?b=c&d=%20 HTTP/1.1", "head": b"HEAD /a HTTP/1.1",
        "options": b"OPTIONS /a HTTP/1.1", "options-star": b"OPTIONS * HTTP/1.1", "delete": b"DELETE /a HTTP/1.1",
        "get-star": b"GET * HTTP/1.1", "trace": b"TRACE /a HTTP/1.1", "connect": b"CONNECT h:80 HTTP/1.1",
        "connect-path": b"CONNECT /a HTTP/1.1", "lower-case-method": b"get /a HTTP/1.1",
        "unknown-method": b"BREW /a HTTP/1.1", "method-with-dash": b"M-SEARCH /a HTTP/1.1",
        "method-with-brace": b"G{T /a HTTP/1.1", "method-with-nul": b"G\0T /a HTTP/1.1",
        "method-with-colon": b"G:T /a HTTP/1.1", "long-method": b"A" * 40 + b" /a HTTP/1.1",
        "no-method": b" /a HTTP/1.1", "no-target": b"GET HTTP/1.1", "empty-target": b"GET  HTTP/1.1",
        "two-spaces": b"GET  /a HTTP/1.1", "two-spaces-before-version": b"GET /a  HTTP/1.1",
        "tab-as-space": b"GET\t/a HTTP/1.1", "leading-space": b" GET /a HTTP/1.1",
        "trailing-space": b"GET /a HTTP/1.1 ", "space-in-target": b"GET /a b HTTP/1.1",
        "tab-in-target": b"GET /a\tb HTTP/1.1", "nul-in-target": b"GET /a\0b HTTP/1.1",
        "del-in-target": b"GET /a\x7fb HTTP/1.1", "cr-in-target": b"GET /a\rb HTTP/1.1",
        "utf8-in-target": b"GET /\xc3\xa9 HTTP/1.1", "high-byte-in-target": b"GET /\xff HTTP/1.1",
        "fragment": b"GET /a#b HTTP/1.1", "quote-in-target": b'GET /a"b HTTP/1.1', "angle-in-target": b"GET /<a> HTTP/1.1",
        "backslash-in-target": b"GET /a\\b HTTP/1.1", "braces-in-target": b"GET /{a} HTTP/1.1",
        "bar-in-target": b"GET /a|b HTTP/1.1", "caret-in-target": b"GET /a^b HTTP/1.1",
        "bad-percent": b"GET /a%zz HTTP/1.1", "percent-nul": b"GET /a%00b HTTP/1.1", "percent-cut": b"GET /a%2 HTTP/1.1",
        "percent-crlf": b"GET /a%0d%0ab HTTP/1.1", "dots": b"GET /a/../b HTTP/1.1", "dots-above": b"GET /../../b HTTP/1.1",
        "double-slash": b"GET //a HTTP/1.1", "semicolon": b"GET /a;b=c HTTP/1.1", "relative": b"GET a HTTP/1.1",
        "query-only": b"GET ?a HTTP/1.1", "absolute": b"GET http://h/a HTTP/1.1",
        "absolute-other-host": b"GET http://other/a HTTP/1.1", "absolute-https": b"GET https://h/a HTTP/1.1",
        "absolute-userinfo": b"GET http://u:p@h/a HTTP/1.1", "absolute-no-host": b"GET http:///a HTTP/1.1",
        "absolute-ftp": b"GET ftp://h/a HTTP/1.1", "absolute-upper": b"GET HTTP://h/a HTTP/1.1",
        "absolute-no-path": b"GET http://h HTTP/1.1", "absolute-bad-port": b"GET http://h:99999/a HTTP/1.1",
        "long-target": b"GET /" + b"a" * 4000 + b" HTTP/1.1", "huge-target": b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    }.items():
        yield f"line.{name}", request(line)


def versions():
    for name, version in {"1.0": b"HTTP/1.0", "0.9": b"HTTP/0.9", "1.2": b"HTTP/1.2", "2.0": b"HTTP/2.0", "3": b"HTTP/3",
                          "9.9": b"HTTP/9.9", "lower": b"http/1.1", "padded": b"HTTP/01.1", "long-minor": b"HTTP/1.10",
                          "plus": b"HTTP/+1.1", "none": b"HTTP/", "word": b"HTTP/one", "other": b"ICY/1.1",
                          "no-dot": b"HTTP/11", "space": b"HTTP/ 1.1", "letter-after": b"HTTP/1.1a"}.items():
        yield f"version.{name}", request(b"GET /a " + version)
    yield "version.simple-request", b"GET /a\r\n\r\n"
    yield "version.h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "version.1.0-no-host", request(b"GET /a HTTP/1.0", ())
    yield "version.1.0-chunked", request(b"POST /a HTTP/1.0", (b"Host: h", b"Transfer-Encoding: chunked"), HELLO + LAST)
    yield "version.1.0-keep-alive", request(b"GET /a HTTP/1.0", (b"Host: h", b"Connection: keep-alive"))
    yield "version.tls-hello", bytes.fromhex("160301002f0100002b0303") + b"\0" * 40


def hosts():
    for name, fields in {
        "none": (), "empty": (b"Host:",), "two": (b"Host: h", b"Host: h"), "two-different": (b"Host: h", b"Host: g"),
        "port": (b"Host: h:8080",), "port-empty": (b"Host: h:",), "port-word": (b"Host: h:x",),
        "port-large": (b"Host: h:99999",), "userinfo": (b"Host: u@h",), "path": (b"Host: h/a",), "space": (b"Host: h g",),
        "comma": (b"Host: h,g",), "v6": (b"Host: [::1]:80",), "v6-open": (b"Host: [::1",), "nul": (b"Host: h\0",),
        "high-byte": (b"Host: \xff",), "percent": (b"Host: %68",), "underscore": (b"Host: a_b",), "dots": (b"Host: a..b",),
        "backslash": (b"Host: a\\b",), "quote": (b'Host: a"b',), "angle": (b"Host: <a>",), "query": (b"Host: h?a",),
        "hash": (b"Host: h#a",), "star": (b"Host: *",), "tab-inside": (b"Host: h\tg",), "upper": (b"HOST: h",),
    }.items():
        yield f"host.{name}", request(fields=fields)


def fields():
    for name, field in {
        "space-before-colon": b"A : b", "tab-before-colon": b"A\t: b", "no-colon": b"Ab", "empty-name": b": b",
        "empty-value": b"A:", "space-in-name": b"A b: c", "nul-in-name": b"A\0: b", "high-byte-in-name": b"A\xff: b",
        "slash-in-name": b"A/b: c", "quote-in-name": b'A"b: c', "brace-in-name": b"A{: b", "at-in-name": b"A@b: c",
        "underscore-in-name": b"A_b: c", "token-in-name": b"A!#$%&'*+-.^_`|~b: c", "nul-in-value": b"A: b\0c",
        "control-in-value": b"A: b\x01c", "del-in-value": b"A: b\x7fc", "tab-in-value": b"A: b\tc",
        "high-byte-in-value": b"A: \xff", "utf8-in-value": b"A: \xc3\xa9", "cr-in-value": b"A: b\rc",
        "cr-at-end": b"A: b\r", "lf-line": b"A: b\nC: d", "fold-space": b"A: b\r\n c", "fold-tab": b"A: b\r\n\tc",
        "fold-empty": b"A: b\r\n \r\nC: d", "spaces-around": b"A:   b   ", "vertical-tab": b"A: b\x0bc",
        "form-feed-before": b"A:\x0cb", "long-value": b"A: " + b"b" * 4000, "huge-value": b"A: " + b"b" * 70_000,
        "long-name": b"A" * 4000 + b": b", "cookie": b"Cookie: a=b; c=d",
    }.items():
        yield f"field.{name}", with_field(field)
    yield "field.first-line-folded", b"GET /a HTTP/1.1\r\n Host: h\r\n\r\n"
    yield "field.first-line-tab", b"GET /a HTTP/1.1\r\n\tA: b\r\nHost: h\r\n\r\n"
    yield "field.bare-lf-everywhere", b"GET /a HTTP/1.1\nHost: h\n\n"
    yield "field.bare-lf-end", b"GET /a HTTP/1.1\r\nHost: h\r\n\n"
    yield "field.bare-cr-end", b"GET /a HTTP/1.1\rHost: h\r\r"
    yield "field.many", with_field(*(b"A-%d: b" % n for n in range(150)))
    yield "field.too-many", with_field(*(b"A-%d: b" % n for n in range(5000)))
    yield "field.empty-lines-before", b"\r\n\r\n" + request()
    yield "field.many-empty-lines-before", b"\r\n" * 100 + request()
    yield "field.bare-lf-before", b"\n" + request()
    yield "field.binary-before", b"\x00\x01" + request()


def lengths():
    for name, (value, body) in {
        "right": (b"5", b"hello"), "zero": (b"0", b""), "leading-zeros": (b"005", b"hello"), "plus": (b"+5", b"hello"),
        "minus": (b"-5", b"hello"), "minus-zero": (b"-0", b""), "hex": (b"0x5", b"hello"), "space-inside": (b"1 0", b"hello"),
        "list-equal": (b"5, 5", b"hello"), "list-different": (b"5, 6", b"hello"), "word": (b"five", b"hello"),
        "empty": (b"", b"hello"), "fraction": (b"5.0", b"hello"), "exponent": (b"5e0", b"hello"), "quoted": (b'"5"', b"hello"),
        "beyond-64-bits": (b"18446744073709551621", b"hello"), "beyond-63-bits": (b"9223372036854775813", b"hello"),
        "many-zeros": (b"0" * 40 + b"5", b"hello"), "comma-after": (b"5,", b"hello"), "semicolon": (b"5;a", b"hello"),
        "vertical-tab": (b"\x0b5", b"hello"), "underscore": (b"1_0", b"hello"), "too-large": (b"99999999999", b"hello"),
        "nul": (b"5\0", b"hello"), "short": (b"10", b"hello"),
    }.items():
        yield f"length.{name}", post(b"Content-Length: " + value, body=body)
    yield "length.twice-equal", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")
    yield "length.twice-different", post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!")
    yield "length.none-with-body", post(body=b"hello")
    yield "length.get-with-body", request(fields=(b"Host: h", b"Content-Length: 5"), body=b"hello")
    yield "length.space-before-colon", post(b"Content-Length : 5", body=b"hello")
    yield "length.folded", post(b"Content-Length:\r\n 5", body=b"hello")
    yield "length.underscore-name", post(b"Content_Length: 5", body=b"hello")


def codings():
    for name, value in {
        "chunked": b"chunked", "upper": b"CHUNKED", "identity": b"identity", "gzip": b"gzip", "gzip-chunked": b"gzip, chunked",
        "chunked-gzip": b"chunked, gzip", "chunked-twice": b"chunked, chunked", "xchunked": b"xchunked",
        "chunkedx": b"chunkedx", "quoted": b'"chunked"', "parameter": b"chunked;a=b", "empty": b"", "comma-before": b",chunked",
        "comma-after": b"chunked,", "vertical-tab-before": b"\x0bchunked", "form-feed-after": b"chunked\x0c", "nul": b"chunked\0",
        "high-byte": b"chunked\xff", "tab-before": b"\tchunked", "identity-chunked": b"identity, chunked",
        "chunked-identity": b"chunked, identity", "unknown-chunked": b"foo, chunked", "space-inside": b"chunk ed",
    }.items():
        yield f"coding.{name}", post(b"Transfer-Encoding: " + value, body=HELLO + LAST)
    yield "coding.twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=HELLO + LAST)
    yield "coding.twice-identity", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=HELLO + LAST)
    yield "coding.and-length", chunked(HELLO + LAST, b"Content-Length: 15")
    yield "coding.length-before", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=HELLO + LAST)
    yield "coding.xchunked-and-length", post(b"Transfer-Encoding: xchunked", b"Content-Length: 5", body=b"hello")
    yield "coding.space-before-colon", post(b"Transfer-Encoding : chunked", body=HELLO + LAST)
    yield "coding.underscore-name", post(b"Transfer_Encoding: chunked", body=HELLO + LAST)
    yield "coding.folded", post(b"Transfer-Encoding:\r\n chunked", body=HELLO + LAST)
    yield "coding.get", request(fields=(b"Host: h", b"Transfer-Encoding: chunked"), body=HELLO + LAST)
    yield "coding.smuggle", post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SECOND)
    yield "coding.smuggle-xchunked", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SECOND)


def chunks():
    for name, body in {
        "plain": HELLO + LAST, "upper-hex": b"A\r\n0123456789\r\n" + LAST, "leading-zeros": b"0005\r\nhello\r\n" + LAST,
        "many-zeros": b"0" * 40 + b"5\r\nhello\r\n" + LAST, "extension": b"5;a=b\r\nhello\r\n" + LAST,
        "extension-quoted": b'5;a="b;c"\r\nhello\r\n' + LAST, "extension-bare": b"5;\r\nhello\r\n" + LAST,
        "extension-lf": b"5;a\nhello\r\n" + LAST, "extension-cr": b"5;a\rb\r\nhello\r\n" + LAST,
        "extension-long": b"5;" + b"a" * 5000 + b"\r\nhello\r\n" + LAST, "space-before-size": b" 5\r\nhello\r\n" + LAST,
        "space-after-size": b"5 \r\nhello\r\n" + LAST, "0x": b"0x5\r\nhello\r\n" + LAST, "minus": b"-5\r\nhello\r\n" + LAST,
        "plus": b"+5\r\nhello\r\n" + LAST, "no-size": b"\r\nhello\r\n" + LAST, "not-hex": b"g\r\nhello\r\n" + LAST,
        "overflow": b"10000000000000005\r\nhello\r\n" + LAST, "bare-lf": b"5\nhello\n0\n\n",
        "bare-lf-after-data": b"5\r\nhello\n" + LAST, "bare-cr": b"5\rhello\r\n" + LAST, "too-long-data": b"5\r\nhello!\r\n" + LAST,
        "too-short-data": b"6\r\nhello\r\n" + LAST, "no-crlf-after-data": b"5\r\nhello0\r\n\r\n", "trailer": HELLO + b"0\r\nA: b\r\n\r\n",
        "trailer-length": HELLO + b"0\r\nContent-Length: 9\r\n\r\n", "trailer-host": HELLO + b"0\r\nHost: g\r\n\r\n",
        "trailer-no-colon": HELLO + b"0\r\nAb\r\n\r\n", "trailer-lf": HELLO + b"0\r\nA: b\n\r\n", "last-lf": HELLO + b"0\r\n\n",
        "last-zeros": HELLO + b"000\r\n\r\n", "last-extension": HELLO + b"0;a=b\r\n\r\n", "cut": b"5\r\nhel",
        "underscore-size": b"1_0\r\nhello\r\n" + LAST, "size-nul": b"5\0\r\nhello\r\n" + LAST, "empty": LAST,
    }.items():
        yield f"chunk.{name}", chunked(body)


def connections():
    for name, fields in {
        "close": (b"Connection: close",), "keep-alive": (b"Connection: keep-alive",), "names-host": (b"Connection: host",),
        "names-length": (b"Connection: content-length", b"Content-Length: 0"), "names-field": (b"Connection: A", b"A: b"),
        "upgrade": (b"Connection: upgrade", b"Upgrade: websocket"), "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        "te-trailers": (b"Connection: TE", b"TE: trailers"), "malformed": (b"Connection: a b",), "empty": (b"Connection:",),
        "proxy-connection": (b"Proxy-Connection: keep-alive",), "max-forwards": (b"Max-Forwards: 0",), "via": (b"Via: 1.1 a",),
    }.items():
        yield f"connection.{name}", with_field(*fields)
    yield "expect.continue", post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello")
    yield "expect.other", post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello")
    yield "expect.upper", post(b"Expect: 100-CONTINUE", b"Content-Length: 5", body=b"hello")
    yield "pipeline.two", request() + SECOND
    yield "pipeline.after-length", post(b"Content-Length: 5", body=b"hello") + SECOND
    yield "pipeline.after-chunks", chunked(HELLO + LAST) + SECOND
    yield "pipeline.after-close", with_field(b"Connection: close") + SECOND
    yield "pipeline.garbage-after", request() + b"garbage\r\n\r\n"
    yield "pipeline.crlf-between", post(b"Content-Length: 5", body=b"hello\r\n") + SECOND


def corpus():
    found = {}
    for family in (lines, versions, hosts, fields, lengths, codings, chunks, connections):
        found.update(family())
    return found
