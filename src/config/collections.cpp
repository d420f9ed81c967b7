#include "collections.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "cooldown/text/ascii.hpp"

#include "address.hpp"
#include "print.hpp"
#include "suggest.hpp"

namespace cooldown::config {
namespace {

constexpr std::uint64_t largest_limit = 1'000'000'000'000;
constexpr std::size_t longest_name = 256;
constexpr std::size_t longest_rule_name = 64;
constexpr std::string_view every_other = "*";
constexpr std::size_t most_headers = 64;

/// A field name (RFC 9110 §5.1), as far as any provider uses it.
bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= longest_name &&
         std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}
constexpr std::size_t most_accounts = 64;  // each has limiters of its own

/// Stores a valid value in its field.
template <class Field, class T>
std::optional<rejection> store(Field& field, reading<T> r) {
  if (auto* bad = std::get_if<rejection>(&r)) return std::move(*bad);
  field = static_cast<T>(std::move(std::get<T>(r)));
  return std::nullopt;
}

bool expect(yaml_node::kind kind, std::string_view what, const std::string& path, const yaml_node& node,
            value_reader& values) {
  if (!node.refusal.empty()) {
    values.complain(node.at, path, node.refusal);
    return false;
  }
  if (node.type == kind) return true;
  values.complain(node.at, path, "expected " + std::string(what) + ", found " + std::string(kind_name(node.type)));
  return false;
}

/// Calls `use(name, value)` for each entry of a map, and reports invalid and duplicate names. Returns false if there
/// were any errors.
template <class Use>
bool each_entry(const std::string& path, const yaml_node& node, value_reader& values, Use use) {
  bool good = true;
  std::map<std::string, int> seen;
  for (auto const& [key, value] : node.entries) {
    if (key.type != yaml_node::kind::scalar || !key.refusal.empty() || key.text.empty()) {
      values.complain(key.at, path,
                      key.refusal.empty() ? "expected a name, found " + std::string(kind_name(key.type)) : key.refusal);
      good = false;
      continue;
    }
    auto const [first, is_new] = seen.emplace(key.text, key.at.line);
    if (!is_new) {
      values.complain(key.at, path + '.' + printable(key.text),
                      "duplicate key; first given at line " + std::to_string(first->second));
      good = false;
    }
    good = use(key, value) && good;
  }
  return good;
}

bool unknown(const std::string& path, const yaml_node& key, const std::vector<std::string>& known,
             value_reader& values) {
  if (name_may_hold_secret(key.text)) {
    values.complain(key.at, path, "unknown key (name hidden); a key is followed by ':' and a space");
    return false;
  }
  auto const meant = nearest(key.text, known);
  values.complain(key.at, path + '.' + printable(key.text),
                  "unknown key " + in_quotes(key.text) + "; " +
                      (meant.empty() ? "known here: " + joined(known, ", ") : "did you mean '" + meant + "'?"));
  return false;
}

bool read_model(const std::string& path, const yaml_node& node, model_limits& into, value_reader& values) {
  using field = std::optional<std::uint64_t> model_limits::*;
  constexpr std::array<std::pair<std::string_view, field>, 9> fields{{{"rpm", &model_limits::rpm},
                                                                      {"rph", &model_limits::rph},
                                                                      {"rpd", &model_limits::rpd},
                                                                      {"tpm", &model_limits::tpm},
                                                                      {"tph", &model_limits::tph},
                                                                      {"tpd", &model_limits::tpd},
                                                                      {"total_tpm", &model_limits::total_tpm},
                                                                      {"total_tph", &model_limits::total_tph},
                                                                      {"total_tpd", &model_limits::total_tpd}}};
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (auto const& f : fields) names.emplace_back(f.first);
  if (!expect(yaml_node::kind::map, "a map (" + joined(names, ", ") + ")", path, node, values)) return false;
  return each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    for (auto const& f : fields) {
      if (f.first != key.text) continue;
      auto const at = f.second;
      return values.read_scalar({.path = path + '.' + key.text, .kind = "integer"}, value, [&](std::string_view text) {
        return store(into.*at, read_integer(text, 1, largest_limit));
      });
    }
    return unknown(path, key, names, values);
  });
}

bool read_match(const std::string& path, const yaml_node& node, client_rule& rule, value_reader& values) {
  static const std::vector<std::string> names{"credential", "user", "address"};
  if (!expect(yaml_node::kind::map, "a map (" + joined(names, ", ") + ")", path, node, values)) return false;
  bool const good = each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    scalar_rule what{.path = path + '.' + key.text, .kind = "word"};
    if (key.text == "credential") {
      what.kind = "secret";
      what.secret = true;
      return values.read_scalar(what, value, [&](std::string_view text) -> std::optional<rejection> {
        if (text.empty()) return rejection{"must not be empty"};
        return store(rule.credential, read_secret(text));
      });
    }
    if (key.text == "user") {
      return values.read_scalar(what, value, [&](std::string_view text) -> std::optional<rejection> {
        if (text.empty() || text.size() > longest_name)
          return rejection{"must have between 1 and " + std::to_string(longest_name) + " bytes"};
        rule.user = text;
        return std::nullopt;
      });
    }
    if (key.text == "address") {
      what.kind = "address";
      return values.read_scalar(what, value, [&](std::string_view text) -> std::optional<rejection> {
        auto read = read_address_range(text);
        if (!read.range) return rejection{std::move(read.why)};
        rule.address = read.range;
        return std::nullopt;
      });
    }
    return unknown(path, key, names, values);
  });
  if (!good) return false;
  if (rule.credential || rule.user || rule.address) return true;
  values.complain(node.at, path, "needs at least one of " + joined(names, ", "));
  return false;
}

/// Users and keys without a name are shown as "user …" and "key …", so rules must not have such names.
reading<std::string> read_rule_name(std::string_view text) {
  bool const plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c != 0x7f; });
  if (text.empty() || text.size() > longest_rule_name || !plain)
    return rejection{"must have between 1 and " + std::to_string(longest_rule_name) +
                     " bytes, without control characters"};
  if (text.starts_with("user ") || text.starts_with("key "))
    return rejection{"must not begin with 'user ' or 'key ': what has no name is shown so"};
  return std::string(text);
}

bool read_client(const std::string& path, const yaml_node& node, client_rule& rule, value_reader& values) {
  static const std::vector<std::string> names{"match", "priority", "highest_priority", "weight", "name"};
  if (!expect(yaml_node::kind::map, "a map (" + joined(names, ", ") + ")", path, node, values)) return false;
  bool matches = false;
  bool const good = each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    auto const below = path + '.' + key.text;
    if (key.text == "match") {
      matches = true;
      return read_match(below, value, rule, values);
    }
    if (key.text == "name")
      return values.read_scalar({.path = below, .kind = "name"}, value,
                                [&](std::string_view text) { return store(rule.name, read_rule_name(text)); });
    if (key.text == "priority" || key.text == "highest_priority") {
      auto& into = key.text == "priority" ? rule.priority : rule.highest_priority;
      return values.read_scalar({.path = below, .kind = "integer"}, value,
                                [&](std::string_view text) { return store(into, read_integer(text, 0, 7)); });
    }
    if (key.text == "weight")
      return values.read_scalar({.path = below, .kind = "number"}, value, [&](std::string_view text) {
        return store(rule.weight, read_decimal(text, 0.001, 1000));
      });
    return unknown(path, key, names, values);
  });
  if (!matches) values.complain(node.at, path, "has no 'match': say which clients it is for");
  return good && matches;
}

/// The serialization of an origin (RFC 6454 §6.2), as browsers send it: no path, no trailing slash.
reading<std::string> read_web_origin(std::string_view text) {
  if (text == "*" || text == "null") return std::string(text);
  auto const scheme_end = text.find("://");
  auto const plain = [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/' && c != '"' && c != '\\'; };
  if (scheme_end == 0 || scheme_end == std::string_view::npos || scheme_end + 3 == text.size() ||
      !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scheme_end), plain) ||
      !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(scheme_end) + 3, text.end(), plain))
    return rejection{
        R"(must be an origin such as https://chat.example or http://localhost:5173, without a path, or "*")"};
  std::string origin(text);
  std::transform(origin.begin(), origin.end(), origin.begin(), ascii_lower);
  return origin;
}

/// A list of texts, each read by `read`; `item` describes an item in messages.
template <class Read>
bool read_texts(std::vector<std::string>& into, const char* what, scalar_rule item, const yaml_node& node,
                value_reader& values, Read read) {
  auto const path = item.path;
  into.clear();
  if (node.type == yaml_node::kind::null && node.refusal.empty()) return true;
  if (!expect(yaml_node::kind::list, what, path, node, values)) return false;
  bool good = true;
  for (auto const& from : node.items) {
    auto& text = into.emplace_back();
    item.path = path + '[' + std::to_string(into.size() - 1) + ']';
    good = values.read_scalar(item, from, [&](std::string_view value) { return store(text, read(value)); }) && good;
  }
  return good;
}

bool read_secrets(std::vector<std::string>& into, const std::string& path, const yaml_node& node,
                  value_reader& values) {
  scalar_rule const item{.path = path, .kind = "secret", .fallback = {}, .secret = true};
  return read_texts(into, "a list of secrets", item, node, values, [](std::string_view text) {
    return text.empty() ? reading<std::string>{rejection{"must not be empty"}} : read_secret(text);
  });
}

bool is_model_name(const std::string& path, const yaml_node& key, value_reader& values) {
  if (key.text.size() <= longest_name) return true;
  values.complain(key.at, path, "the name of a model must not be longer than " + std::to_string(longest_name));
  return false;
}

/// The provider's name of a client's model. It replaces the client's in JSON, so it needs no escapes there.
reading<std::string> read_model_name(std::string_view clients, std::string_view text) {
  if (clients == every_other && text != every_other)
    return rejection{"must be \"*\": a model that is not named keeps its name"};
  if (clients != every_other && text == every_other) return rejection{"must be the name of one model"};
  bool const plain = std::all_of(text.begin(), text.end(),
                                 [](unsigned char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
  if (text.empty() || text.size() > longest_name || !plain)
    return rejection{"must have between 1 and " + std::to_string(longest_name) +
                     " bytes of visible ASCII, without quotes and backslashes"};
  return std::string(text);
}

}  // namespace

bool read_limits(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  auto& limits = s.cerebras.limits;
  limits.clear();
  if (node.type == yaml_node::kind::null && node.refusal.empty()) return true;
  if (!expect(yaml_node::kind::map, "a map of model names", path, node, values)) return false;
  return each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    if (!is_model_name(path, key, values)) return false;
    auto const below = path + '.' + printable(key.text);
    auto const name = key.text == "default" ? every_other : std::string_view(key.text);
    model_limits read;
    if (!read_model(below, value, read, values)) return false;
    bool const is_new = limits.emplace(name, read).second;
    if (!is_new && name == every_other)
      values.complain(key.at, below, "'default' and '*' mean the same; give one of them");
    return is_new;
  });
}

bool read_fair_share(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  static const std::vector<std::string> names{"credential", "user", "address", "session"};
  client_attributes chosen{false, false, false};
  auto const take = [&](std::string_view text) -> std::optional<rejection> {
    if (text == "credential") {
      chosen.credential = true;
    } else if (text == "user") {
      chosen.user = true;
    } else if (text == "address") {
      chosen.address = true;
    } else if (text == "session") {
      chosen.session = true;
    } else {
      auto const meant = nearest(text, names);
      return rejection{"must be one of " + joined(names, ", "), false,
                       meant.empty() ? "" : " (did you mean '" + meant + "'?)"};
    }
    return std::nullopt;
  };
  bool good = true;
  if (node.type == yaml_node::kind::list && node.refusal.empty()) {
    for (auto const& item : node.items) good = values.read_scalar({.path = path, .kind = "word"}, item, take) && good;
  } else if (node.type == yaml_node::kind::map && node.refusal.empty()) {
    good = expect(yaml_node::kind::list, "a list", path, node, values);
  } else {
    good = values.read_scalar({.path = path, .kind = "list", .fallback = "[credential, user, address]"}, node, take);
  }
  if (good) s.cerebras.queue.fair_share_by = chosen;
  return good;
}

bool read_clients(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  auto& clients = s.cerebras.clients;
  clients.clear();
  if (node.type == yaml_node::kind::null && node.refusal.empty()) return true;
  if (!expect(yaml_node::kind::list, "a list of rules", path, node, values)) return false;
  bool good = true;
  for (auto const& item : node.items) {
    auto& rule = clients.emplace_back();
    auto const place = path + '[' + std::to_string(clients.size() - 1) + ']';
    good = read_client(place, item, rule, values) && good;
    // Metrics and the page identify clients by this name.
    auto const same = [&](const client_rule& r) { return !r.name.empty() && r.name == rule.name; };
    if (std::any_of(clients.begin(), clients.end() - 1, same)) {
      values.complain(item.at, place + ".name", "another rule has the name " + in_quotes(rule.name) + " already");
      good = false;
    }
  }
  return good;
}

bool read_auth_tokens(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  return read_secrets(s.server.auth_tokens, path, node, values);
}

bool read_api_keys(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  auto& keys = s.cerebras.api_keys;
  if (!read_secrets(keys, path, node, values)) return false;
  bool good = keys.size() <= most_accounts;
  if (!good) values.complain(node.at, path, "must not have more than " + std::to_string(most_accounts) + " keys");
  auto const item = [&](std::size_t i) { return path + '[' + std::to_string(i) + ']'; };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto const first = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), keys[i]) - keys.begin());
    if (first == i || keys[i] == hidden_secret) continue;
    values.complain(node.items[i].at, item(i),
                    "is the same key as " + item(first) + " (line " + std::to_string(node.items[first].at.line) +
                        "): one account has one quota; remove one of them (values hidden)");
    good = false;
  }
  return good;
}

bool read_models(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  auto& models = s.cerebras.models;
  models.clear();
  if (node.type == yaml_node::kind::null && node.refusal.empty()) return true;
  if (!expect(yaml_node::kind::map, "a map of model names", path, node, values)) return false;
  return each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    auto& name = models[key.text];
    auto const below = path + '.' + printable(key.text);
    return is_model_name(path, key, values) &&
           values.read_scalar({.path = below, .kind = "name"}, value,
                              [&](std::string_view text) { return store(name, read_model_name(key.text, text)); });
  });
}

bool read_headers(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  auto& headers = s.cerebras.rate_limits.headers;
  headers.clear();
  if (node.type == yaml_node::kind::null && node.refusal.empty()) return true;
  if (!expect(yaml_node::kind::map, "a map of header names", path, node, values)) return false;
  std::vector<std::pair<std::string, int>> seen;  // with their lines
  return each_entry(path, node, values, [&](const yaml_node& key, const yaml_node& value) {
    auto const below = path + '.' + printable(key.text);
    auto const same = std::find_if(seen.begin(), seen.end(), [&](auto const& other) {
      return other.first != key.text && iequals(other.first, key.text);
    });
    if (same != seen.end()) {
      values.complain(key.at, below,
                      "is the header " + in_quotes(same->first) + " of line " + std::to_string(same->second) +
                          ", because the case of a header's name says nothing; give one of them");
      return false;
    }
    seen.emplace_back(key.text, key.at.line);
    if (!is_header_name(key.text) || headers.size() == most_headers) {
      values.complain(key.at, below,
                      headers.size() == most_headers ? "too many: at most " + std::to_string(most_headers)
                                                     : "is not the name of a header");
      return false;
    }
    return values.read_scalar(
        {.path = below, .kind = "words"}, value, [&](std::string_view text) -> std::optional<rejection> {
          auto const means = meaning_in_words(text);
          if (!means)
            return rejection{
                "must be what the header tells: limit, remaining or reset; requests, tokens, input "
                "tokens or output tokens; and a window, such as minute, day or 10s"};
          headers.emplace_back(key.text, *means);
          return std::nullopt;
        });
  });
}

bool read_allowed_origins(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  scalar_rule const item{.path = path, .kind = "origin"};
  return read_texts(s.server.allowed_origins, "a list of origins", item, node, values, read_web_origin);
}

bool read_allowed_hosts(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  scalar_rule const item{.path = path, .kind = "host"};
  return read_texts(s.server.allowed_hosts, "a list of host names", item, node, values, [](std::string_view text) {
    return text == "*" ? reading<std::string>{std::string(text)} : read_host(text, zone::refused);
  });
}

}  // namespace cooldown::config
