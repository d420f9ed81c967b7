"""Why cooldown-proxy forwards what nginx or HAProxy refuses."""

OPAQUE = "the path is the provider's to decode; it goes on byte for byte, and only its last segment is looked at here"

EXPLAINED = {
    "line.options-star": "OPTIONS * is a request to the server as a whole, and an intermediary passes it on (RFC 9110 §9.3.7)",
    "line.lower-case-method": "methods are case-sensitive tokens, and unknown ones are passed on (RFC 9110 §9.1)",
    "line.bad-percent": OPAQUE,
    "line.percent-nul": OPAQUE,
    "line.percent-cut": OPAQUE,
    "line.dots-above": OPAQUE,
    "line.absolute-other-host": "the authority of the target overrides Host (RFC 9112 §3.2.2); neither goes on: Host is "
    "written anew, with the provider's name",
    "host.dots": "an authority by RFC 3986 §3.2.2; it does not go on either",
    "field.long-name": "within server.max_header_size there is no limit on the length of a name",
    "coding.tab-before": "OWS before a value is spaces and tabs (RFC 9110 §5.6.3); Transfer-Encoding is written anew",
    "connection.upgrade": "Upgrade may be ignored (RFC 9110 §7.8) and is dropped; HAProxy misses Sec-WebSocket-Key",
}
