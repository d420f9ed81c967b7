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
#include "section.hpp"
#include "upstreams.hpp"
#include "value_reader.hpp"
#include "yaml_tree.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t largest_file = 1024 * 1024;

/// Reads the document, and checks the rules between its keys; collects settings and errors.
class reader {
 public:
  reader(std::string_view file, const environment& env) : values_(file, env) {}

  void read_document(const yaml_node& root, const adjustment& adjust) {
    if (!read_keys({document_keys(), settings_}, root, values_)) return;
    complete();
    if (adjust) adjust(settings_);
    check_ports();
    each_upstream(settings_,
                  [&](const upstream_settings& to, const std::string& path) { check_base_url(path, to.base_url); });
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
  /// Defaults that depend on the file: without a section `cerebras`, headers decide, as without a file.
  void complete() {
    if (!values_.has("cerebras")) settings_.cerebras.rate_limits.use_headers = true;
    complete_accounts(settings_.cerebras, "cerebras", values_);
    if (values_.has("cerebras.api_key") || values_.has("cerebras.api_keys")) return;
    yaml_node variable;
    variable.type = yaml_node::kind::scalar;
    variable.text = "${CEREBRAS_API_KEY:-}";
    auto const& key = *document_keys().find("cerebras.api_key");
    values_.read_scalar({.path = "CEREBRAS_API_KEY", .kind = key.kind, .secret = true, .may_be_empty = true}, variable,
                        [&](std::string_view text) { return key.read(settings_, text); });
  }

  /// Reports an error about two keys at the first of them that the file has.
  void complain_at_one_of(const std::array<std::string, 2>& paths, const std::array<std::string, 2>& messages) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (values_.has(paths[i])) return values_.complain(values_.place_of(paths[i]), paths[i], messages[i]);
    }
    values_.complain({}, paths[0], messages[0]);
  }

  void check_ports() {
    auto const& [server, admin] = std::tie(settings_.server, settings_.admin);
    if (!is_good("server.host") || !is_good("server.port") || !is_good("admin.host") || !is_good("admin.port")) return;
    if (server.port == 0 || server.port != admin.port || !hosts_overlap(server.host, admin.host)) return;
    complain_at_one_of({"admin.port", "server.port"}, {"must not be the port that server.port has on the same host",
                                                       "must not be the port that admin.port has on the same host"});
  }

  /// If the proxy were its own provider, requests would circle.
  void check_base_url(const std::string& upstream, const origin& to) {
    auto const key = upstream + ".base_url";
    if (!is_good(key)) return;
    auto const check = [&](const std::string& section, const std::string& host, std::uint16_t port) {
      auto const host_key = section + ".host";
      auto const port_key = section + ".port";
      if (!is_good(host_key) || !is_good(port_key) || port == 0 || port != to.port || !leads_to(to.host, host)) return;
      values_.complain(values_.place_of(key), key,
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
    values_.complain(values_.place_of(present), missing,
                     std::string("must be given too: TLS needs it with ") + present);
  }

  bool is_good(const std::string& path) const { return values_.is_good(path); }

  value_reader values_;
  settings settings_;
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
  for (auto const& k : document_keys().all()) facts.push_back({k.path, k.kind, k.fallback, k.range});
  return facts;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> paths;
  for (auto const& k : document_keys().all()) paths.push_back(k.path);
  return paths;
}

}  // namespace cooldown::config
