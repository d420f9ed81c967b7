#include "address.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "cooldown/config/address_range.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::config {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

bool is_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

bool is_zone(std::string_view text) {
  return !text.empty() && text.size() <= 15 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

reading<std::string> read_ipv6(std::string_view text, zone z) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  auto const percent = text.find('%');
  auto const address = text.substr(0, percent);
  if (!is_address(AF_INET6, address)) return rejection{"is not a valid IPv6 address"};
  if (percent == std::string_view::npos) return lower(address);
  if (z == zone::refused) return rejection{"must not have a zone ('%')"};
  if (!is_zone(text.substr(percent + 1))) return rejection{"has an invalid zone after '%'"};
  return lower(address) + std::string(text.substr(percent));
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

/// The last label of a name, or the whole name if it has no dots.
std::string_view last_label(std::string_view name) {
  auto const dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

bool is_path_char(char c) {
  return is_letter_or_digit(c) || std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

bool is_hex(char c) {
  return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

bool is_path_text(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (is_path_char(path[i])) continue;
    if (path[i] != '%' || i + 2 >= path.size() || !is_hex(path[i + 1]) || !is_hex(path[i + 2])) return false;
    i += 2;
  }
  return true;
}

/// "", "." and "..", percent-encoded or not: a server may resolve them to another path.
bool is_odd_segment(std::string_view segment) {
  auto text = lower(segment);
  for (auto at = text.find("%2e"); at != std::string::npos; at = text.find("%2e")) text.replace(at, 3, ".");
  return text.empty() || text == "." || text == "..";
}

reading<std::string> read_prefix(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == "/v1") return std::string{};
  if (!is_path_text(path)) return rejection{"has a path with characters that a URL must percent-encode"};
  auto rest = path.substr(1);
  for (;;) {
    auto const slash = rest.find('/');
    if (is_odd_segment(rest.substr(0, slash))) return rejection{"has a path with an empty, '.' or '..' segment"};
    if (slash == std::string_view::npos) return std::string(path);
    rest.remove_prefix(slash + 1);
  }
}

/// The path without the endpoint at its end; nullopt: it does not end in one. People copy the whole URL of a request.
std::optional<std::string> without_endpoint(std::string_view path) {
  for (std::string_view const endpoint :
       {"/chat/completions", "/completions", "/responses", "/messages", "/embeddings"}) {
    auto const rest = path.size() - std::min(path.size(), endpoint.size());
    if (iequals(path.substr(rest), endpoint)) return std::string(path.substr(0, rest));
  }
  return std::nullopt;
}

/// Names of this machine everywhere (RFC 6761 §6.3), and those in Debian's /etc/hosts.
bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain" ||
         name == "ip6-localhost" || name == "ip6-loopback";
}

constexpr address_bytes any_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr address_bytes any_v6{};
constexpr address_bytes loopback_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
constexpr address_bytes loopback_v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

/// The addresses of a host that are known without a look-up.
std::vector<address_bytes> addresses_of(std::string_view host) {
  if (is_localhost(host)) return {loopback_v4, loopback_v6};
  if (auto const address = read_address(host)) return {*address};
  // "0x7f000001" and the like are addresses to getaddrinfo(3).
  in_addr number{};
  if (inet_aton(std::string(host).c_str(), &number) == 0) return {};
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &number, text.data(), text.size());
  return {*read_address(text.data())};
}

bool listens_for(const address_bytes& listener, const address_bytes& to) {
  if (listener == to) return true;
  bool const is_v4_loopback = std::equal(to.begin(), to.begin() + 13, loopback_v4.begin());  // 127.0.0.0/8
  if (listener == any_v4) return is_v4_loopback;
  // :: takes connections by IPv4 as well unless the system is told otherwise.
  return listener == any_v6 && (is_v4_loopback || to == loopback_v6);
}

}  // namespace

bool leads_to(std::string_view host, std::string_view listener) {
  if (host == listener) return true;
  auto const listeners = addresses_of(listener);
  auto const targets = addresses_of(host);
  return std::any_of(targets.begin(), targets.end(), [&](address_bytes to) {
    // A connection to the unspecified address reaches this machine.
    if (to == any_v4) to = loopback_v4;
    if (to == any_v6) to = loopback_v6;
    return std::any_of(listeners.begin(), listeners.end(), [&](auto const& at) { return listens_for(at, to); });
  });
}

reading<std::string> read_host(std::string_view text, zone z) {
  if (text.empty()) return rejection{"must not be empty"};
  if (text.find('/') != std::string_view::npos)
    return rejection{"must be a host name or an IP address alone, without scheme and path"};
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= '\x7f'; }))
    return rejection{"must not contain spaces, control or non-ASCII characters (an international name: its xn-- form)"};
  auto const colons = std::count(text.begin(), text.end(), ':');
  if (text.starts_with('[') && text.ends_with(']')) return read_ipv6(text, z);
  if (colons == 1 || text.starts_with('[')) return rejection{"must be a host name or an IP address without a port"};
  if (colons > 1) return read_ipv6(text, z);
  auto const last = last_label(text);
  if (!last.empty() && std::all_of(last.begin(), last.end(), is_digit)) {
    if (!is_address(AF_INET, text)) return rejection{"is not a valid IPv4 address"};
    return std::string(text);
  }
  auto rest = text;
  std::string_view label;
  bool good = text.size() <= 253 && !text.ends_with('.');
  while (good && next_token(rest, '.', label)) good = is_label(label);
  if (!good) return rejection{"is not a host name or an IP address"};
  return lower(text);
}

reading<origin> read_url(std::string_view text) {
  // The rejected text may contain a password, or a key in a query.
  bool const hide = text.find_first_of("@?#") != std::string_view::npos;
  origin url;
  auto rest = text;
  if (istarts_with(text, "https://")) {
    rest.remove_prefix(8);
  } else if (istarts_with(text, "http://")) {
    rest.remove_prefix(7);
    url.tls = false;
  } else {
    return rejection{"must begin with https:// or http://", hide};
  }
  if (text.find_first_of("?#") != std::string_view::npos)
    return rejection{"must not have a query ('?') or a fragment ('#')", true};
  auto const path_at = std::min(rest.find('/'), rest.size());
  auto authority = rest.substr(0, path_at);
  if (authority.find('@') != std::string_view::npos)
    return rejection{"must not hold a user name or a password; the key belongs in api_key", true};

  auto prefix = read_prefix(rest.substr(path_at));
  if (auto* bad = std::get_if<rejection>(&prefix)) return rejection{std::move(bad->why), hide};
  url.prefix = std::move(std::get<std::string>(prefix));

  url.port = url.tls ? 443 : 80;
  auto const colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    auto const port = read_integer(authority.substr(colon + 1), 1, 65535);
    if (std::holds_alternative<rejection>(port)) return rejection{"has a port that is not between 1 and 65535", hide};
    url.port = static_cast<std::uint16_t>(std::get<std::uint64_t>(port));
    authority = authority.substr(0, colon);
  }
  if (authority.empty()) return rejection{"has no host", hide};
  // Without brackets, the last group of "::1" would be read as the port.
  if (!authority.starts_with('[') && authority.find(':') != std::string_view::npos)
    return rejection{"must have an IPv6 address in brackets", hide};
  auto host = read_host(authority, zone::refused);
  if (auto* bad = std::get_if<rejection>(&host)) return rejection{"its host " + bad->why, hide};
  url.host = std::move(std::get<std::string>(host));
  if (auto shorter = without_endpoint(url.prefix)) {
    url.prefix = std::move(*shorter);
    return rejection{"must end before the path of an endpoint such as /chat/completions", hide,
                     ": say '" + show_url(url) + "'"};
  }
  return url;
}

std::string show_url(const origin& url) {
  return (url.tls ? "https://" : "http://") + url.authority() + url.prefix;
}

bool hosts_overlap(std::string_view a, std::string_view b) {
  auto const literal = [](std::string_view host) { return host == "localhost" ? std::string_view("127.0.0.1") : host; };
  a = literal(a);
  b = literal(b);
  if (a == b) return true;
  // :: takes the port of IPv4 as well unless the system is told otherwise.
  if (a == "::" || b == "::") return true;
  return (a == "0.0.0.0" && is_address(AF_INET, b)) || (b == "0.0.0.0" && is_address(AF_INET, a));
}

}  // namespace cooldown::config
