#include "cooldown/http/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view hop_by_hop[] = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
    "te",         "trailer",    "upgrade",          "transfer-encoding"};

// A Connection header lets a sender remove headers of its own hop. Removing these would change the meaning of the
// message for the provider: another body, another account, another answer ("hop-by-hop header abuse").
constexpr std::string_view protected_names[] = {
    "host",         "content-length", "authorization", "cookie",        "set-cookie",
    "expect",       "date",           "age",           "etag",          "vary",
    "location",     "retry-after",    "allow",         "cache-control", "www-authenticate",
    "x-api-key",    "api-key",        "range",         "via",           "user-agent",
    "x-request-id", "prefer",         "origin",        "referer",       "idempotency-key"};

constexpr std::string_view protected_families[] = {"content-", "accept", "if-", "access-control-"};

constexpr std::string_view credential_parts[] = {"api-key", "apikey", "authorization"};
constexpr std::string_view credential_ends[] = {"token",      "secret",          "auth",          "password",
                                                "cookie",     "auth-key",        "functions-key", "jwt-assertion",
                                                "access-key", "subscription-key"};

constexpr std::string_view session_ends[] = {"session", "session-id", "session-affinity", "codex-window-id"};

/// A header's name in lower case, with hyphens for underscores.
class name_words {
 public:
  explicit name_words(std::string_view name) {
    // The words that tell are at the end, so the last 128 characters suffice.
    name.remove_prefix(name.size() - std::min(name.size(), buffer_.size()));
    std::transform(name.begin(), name.end(), buffer_.begin(), [](char c) { return c == '_' ? '-' : ascii_lower(c); });
    text_ = {buffer_.data(), name.size()};
  }
  name_words(const name_words&) = delete;
  name_words& operator=(const name_words&) = delete;

  template <std::size_t n>
  bool have_one_of(const std::string_view (&parts)[n]) const {
    return std::any_of(std::begin(parts), std::end(parts),
                       [&](std::string_view part) { return text_.find(part) != std::string_view::npos; });
  }

  /// Whole words.
  template <std::size_t n>
  bool end_in_one_of(const std::string_view (&ends)[n]) const {
    return std::any_of(std::begin(ends), std::end(ends), [&](std::string_view end) {
      return text_.ends_with(end) && (text_.size() == end.size() || text_[text_.size() - end.size() - 1] == '-');
    });
  }

 private:
  std::array<char, 128> buffer_;
  std::string_view text_;
};

bool less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return ascii_lower(x) < ascii_lower(y); });
}

template <std::size_t n>
bool is_one_of(const std::string_view (&names)[n], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names), [&](auto const& other) { return iequals(other, name); });
}

}  // namespace

bool is_hop_by_hop(std::string_view name) {
  return is_one_of(hop_by_hop, name);
}

bool is_protected(std::string_view name) {
  return is_one_of(protected_names, name) ||
         std::any_of(std::begin(protected_families), std::end(protected_families),
                     [&](auto const& prefix) { return istarts_with(name, prefix); });
}

bool carries_credential(std::string_view name) {
  name_words const words(name);
  return words.end_in_one_of(credential_ends) || words.have_one_of(credential_parts);
}

std::string_view credential_in(header_view fields) {
  for (auto const& f : fields)
    if (iequals(f.name, "authorization") && !f.value.empty()) return f.value;
  for (auto const& f : fields)
    if (!f.value.empty() && !iequals(f.name, "cookie") && !is_hop_by_hop(f.name) && carries_credential(f.name))
      return f.value;
  return {};
}

std::string_view session_in(header_view fields) {
  for (auto const& f : fields)
    if (!f.value.empty() && name_words(f.name).end_in_one_of(session_ends)) return f.value;
  return {};
}

nominations::nominations(header_view fields) {
  for (auto const& f : fields) {
    if (!iequals(f.name, "connection")) continue;
    for (std::string_view rest = f.value, token; next_token(rest, ',', token);)
      if (!token.empty() && !iequals(token, "close") && !is_hop_by_hop(token) && !is_protected(token))
        names_.push_back(token);
  }
  std::sort(names_.begin(), names_.end(), less);
}

bool nominations::contains(std::string_view name) const {
  return !names_.empty() && std::binary_search(names_.begin(), names_.end(), name, less);
}

bool is_nominated(header_view fields, std::string_view name) {
  if (is_protected(name)) return false;
  for (auto const& f : fields) {
    if (!iequals(f.name, "connection")) continue;
    for (std::string_view rest = f.value, token; next_token(rest, ',', token);)
      if (iequals(token, name)) return true;
  }
  return false;
}

bool has_passed(header_view fields, std::string_view pseudonym) {
  return std::any_of(fields.begin(), fields.end(), [&](auto const& f) {
    return iequals(f.name, "via") && f.value.find(pseudonym) != std::string_view::npos;
  });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  auto const at = out.size();
  out.resize(at + name.size() + value.size() + 4);
  auto* const to = out.data() + at;
  name.copy(to, name.size());
  std::memcpy(to + name.size(), ": ", 2);
  value.copy(to + name.size() + 2, value.size());
  std::memcpy(to + name.size() + 2 + value.size(), "\r\n", 2);
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  std::array<char, 20> digits;
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  append_field(out, name, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

std::string field_value(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    auto const u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace cooldown::http
