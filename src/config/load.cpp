#include "cooldown/config/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "address.hpp"
#include "keys.hpp"
#include "suggest.hpp"
#include "value_reader.hpp"
#include "yaml_tree.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t largest_file = 1024 * 1024;

/// "port:8080" is a single value, not a key with a value.
std::string hint_for(const yaml_node& node) {
  auto const colon = node.text.find(':');
  if (node.type != yaml_node::kind::scalar || colon == std::string::npos || colon + 1 == node.text.size() ||
      node.text.compare(colon, 3, "://") == 0)
    return "";
  auto const name = node.text.substr(0, colon);
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) return "";
  return "; a space is missing after '" + name + ":'";
}

/// Suggests what an unknown key may have been meant to be.
std::string advice(const std::string& section, std::string_view name) {
  if (name.find('.') != std::string_view::npos) return "write one map in another instead of dots";
  auto const here = children(section);
  if (auto const meant = nearest(name, here); !meant.empty()) return "did you mean '" + meant + "'?";
  std::vector<std::string> elsewhere;
  for (auto const& k : keys()) {
    auto const dot = k.path.rfind('.');
    if (k.path.substr(dot + 1) == name) elsewhere.push_back("'" + k.path.substr(0, dot) + "'");
  }
  if (!elsewhere.empty()) return "it belongs in " + joined(elsewhere, " or ");
  return "known here: " + joined(here, ", ");
}

/// Compares the tree with the table of keys; collects settings and errors.
class reader {
 public:
  reader(std::string_view file, const environment& env) : values_(file, env) {}

  void read_document(const yaml_node& root, const adjustment& adjust) {
    if (!read_section("", root.at, root)) return;
    complete();
    if (adjust) adjust(settings_);
    check_ports();
    check_base_url();
    check_sizes();
    check_admin();
    check_server_tls();
  }

  std::variant<settings, problems> take() {
    auto problems = values_.take();
    if (problems.empty()) return std::move(settings_);
    return problems;
  }

 private:
  void complain(place at, std::string key, std::string message) {
    values_.complain(at, std::move(key), std::move(message));
  }

  /// False if it is not a map. An empty section has only defaults.
  bool read_section(const std::string& path, place at, const yaml_node& node) {
    if (!node.refusal.empty()) {
      complain(at, path, node.refusal);
      return false;
    }
    if (node.type == yaml_node::kind::null) return true;
    if (node.type != yaml_node::kind::map) {
      complain(at, path,
               "expected a map (" + joined(children(path), ", ") + "), found " + std::string(kind_name(node.type)) +
                   hint_for(node));
      return false;
    }
    std::map<std::string, place> seen;
    for (auto const& entry : node.entries) read_entry(path, entry, seen);
    return true;
  }

  void read_entry(const std::string& section, const yaml_entry& entry, std::map<std::string, place>& seen) {
    auto const& [key, value] = entry;
    if (key.type != yaml_node::kind::scalar || !key.refusal.empty())
      return complain(key.at, section, "expected the name of a key, found " + std::string(kind_name(key.type)));
    auto const& name = key.text;
    if (name == "<<")
      return complain(key.at, section.empty() ? name : section,
                      "merge keys (<<) are not supported; write the keys out");
    auto const path = section.empty() ? name : section + '.' + name;
    // A dotted name could look like the path of a key in another section.
    auto const* known = name.find('.') == std::string::npos ? find_key(path) : nullptr;
    bool const is_map = known == nullptr && !name.empty() && name.find('.') == std::string::npos && is_section(path);
    if (known == nullptr && !is_map) {
      if (name_may_hold_secret(name))
        return complain(key.at, section, "unknown key (name hidden); a key is followed by ':' and a space");
      return complain(key.at, (section.empty() ? "" : section + '.') + printable(name),
                      "unknown key " + in_quotes(name) + "; " + advice(section, name));
    }
    auto const [first, is_new] = seen.emplace(name, key.at);
    if (!is_new) complain(key.at, path, "duplicate key; first given at line " + std::to_string(first->second.line));
    if (is_map) {
      given_[path] = {value.at, read_section(path, value.at, value)};
    } else {
      given_[path] = {value.at, read_value(*known, value)};
    }
  }

  /// Whether the field was set.
  bool read_value(const config_key& key, const yaml_node& node) {
    if (key.read_node) return key.read_node(settings_, node, values_);
    return values_.read_scalar({.path = key.path,
                                .kind = key.kind,
                                .fallback = key.fallback,
                                .secret = key.secret,
                                .may_be_empty = key.may_be_empty},
                               node, [&](std::string_view text) { return key.read(settings_, text); });
  }

  /// Defaults that depend on the file: without a section `cerebras`, headers decide, as without a file.
  void complete() {
    if (!given_.contains("cerebras")) settings_.cerebras.rate_limits.use_headers = true;
    if (given_.contains("cerebras.api_key")) return;
    yaml_node variable;
    variable.type = yaml_node::kind::scalar;
    variable.text = "${CEREBRAS_API_KEY:-}";
    auto const& key = *find_key("cerebras.api_key");
    values_.read_scalar({.path = "CEREBRAS_API_KEY", .kind = key.kind, .secret = true, .may_be_empty = true}, variable,
                        [&](std::string_view text) { return key.read(settings_, text); });
  }

  struct given {
    place at;
    bool good = true;
  };

  /// Neither the key nor a section around it was rejected.
  bool is_good(std::string path) const {
    for (;;) {
      auto const it = given_.find(path);
      if (it != given_.end() && !it->second.good) return false;
      auto const dot = path.rfind('.');
      if (dot == std::string::npos) return true;
      path.resize(dot);
    }
  }

  /// Reports an error about two keys at the first of them that the file has.
  void complain_at_one_of(const std::array<std::string, 2>& paths, const std::array<std::string, 2>& messages) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      auto const it = given_.find(paths[i]);
      if (it != given_.end()) return complain(it->second.at, paths[i], messages[i]);
    }
    complain({}, paths[0], messages[0]);
  }

  void check_ports() {
    auto const& [server, admin] = std::tie(settings_.server, settings_.admin);
    if (!is_good("server.host") || !is_good("server.port") || !is_good("admin.host") || !is_good("admin.port")) return;
    if (server.port == 0 || server.port != admin.port || !hosts_overlap(server.host, admin.host)) return;
    complain_at_one_of({"admin.port", "server.port"}, {"must not be the port that server.port has on the same host",
                                                       "must not be the port that admin.port has on the same host"});
  }

  /// If the proxy were its own provider, requests would circle.
  void check_base_url() {
    constexpr const char* key = "cerebras.base_url";
    auto const& to = settings_.cerebras.base_url;
    if (!is_good(key)) return;
    auto const check = [&](const std::string& section, const std::string& host, std::uint16_t port) {
      auto const host_key = section + ".host";
      auto const port_key = section + ".port";
      if (!is_good(host_key) || !is_good(port_key) || port == 0 || port != to.port || !leads_to(to.host, host)) return;
      auto const it = given_.find(key);
      complain(it == given_.end() ? place{} : it->second.at, key,
               "must be the provider's address, not that of this proxy (" + host_key + " and " + port_key +
                   "): every request would come back to it");
    };
    check("server", settings_.server.host, settings_.server.port);
    check("admin", settings_.admin.host, settings_.admin.port);
  }

  void check_admin() {
    auto const& admin = settings_.admin;
    if (!is_good("admin.host") || !is_good("admin.token") || is_loopback(admin.host) || !admin.token.empty()) return;
    complain_at_one_of({"admin.host", "admin.token"},
                       {"is reachable from other machines: set admin.token, or use 127.0.0.1",
                        "must not be empty while admin.host is reachable from other machines"});
  }

  void check_sizes() {
    auto const body = settings_.server.max_body_size;
    auto const queue = settings_.cerebras.queue.max_bytes;
    if (!is_good("server.max_body_size") || !is_good("cerebras.queue.max_bytes") || body <= queue) return;
    complain_at_one_of(
        {"cerebras.queue.max_bytes", "server.max_body_size"},
        {"must be at least server.max_body_size (" + show_size(body) + "), or the largest request could never wait",
         "must be at most cerebras.queue.max_bytes (" + show_size(queue) +
             "), or the largest request could never wait"});
  }

  /// Names the missing key, at the position of the other.
  void check_server_tls() {
    constexpr const char* certificate = "server.tls.certificate_file";
    constexpr const char* key = "server.tls.key_file";
    auto const& tls = settings_.server.tls;
    if (!is_good(certificate) || !is_good(key) || tls.certificate_file.empty() == tls.key_file.empty()) return;
    auto const* const missing = tls.key_file.empty() ? key : certificate;
    auto const* const present = tls.key_file.empty() ? certificate : key;
    auto const it = given_.find(present);
    complain(it == given_.end() ? place{} : it->second.at, missing,
             std::string("must be given too: TLS needs it with ") + present);
  }

  value_reader values_;
  settings settings_;
  std::map<std::string, given> given_;
};

std::variant<settings, problems> one_problem(std::string_view file, place at, std::string message) {
  return problems{{std::string(file), at.line, at.column, "", std::move(message)}};
}

}  // namespace

std::string problem::text() const {
  auto out = file;
  if (line > 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  if (!key.empty()) out += ": " + key;
  return out + ": " + message;
}

std::variant<settings, problems> parse(std::string_view yaml, std::string_view file, const environment& env,
                                       const adjustment& adjust) {
  if (yaml.size() > largest_file) return one_problem(file, {}, "larger than " + show_size(largest_file));
  auto tree = read_yaml(yaml);
  if (auto* error = std::get_if<yaml_error>(&tree)) return one_problem(file, error->at, std::move(error->message));
  reader r(file, env);
  r.read_document(std::get<yaml_node>(tree), adjust);
  return r.take();
}

std::variant<settings, problems> load_file(const std::string& path, const environment& env, const adjustment& adjust) {
  auto const close = [](std::FILE* f) { std::fclose(f); };
  std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  auto const failed = [&] {
    return one_problem(path, {}, "cannot read the file: " + std::generic_category().message(errno));
  };
  if (!file) return failed();
  // Reads at most one byte more than allowed: then parse() reports the excess, and an endless device does no harm.
  std::string text(largest_file + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return failed();
  return parse(text, path, env, adjust);
}

std::vector<key_facts> key_reference() {
  std::vector<key_facts> facts;
  for (auto const& k : keys()) facts.push_back({k.path, k.kind, k.fallback, k.range});
  return facts;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> paths;
  for (auto const& k : keys()) paths.push_back(k.path);
  return paths;
}

}  // namespace cooldown::config
