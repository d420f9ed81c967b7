#include "configuration.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "exit_codes.hpp"

namespace cooldown::cli {
namespace {

// Shorter values may occur in a file by chance.
constexpr std::size_t least_secret = 8;

/// Settings forced by `run`: free ports, this machine only, and no log in the command's output.
void stand_beside(config::settings& settings, const overrides& above) {
  if (above.listen.empty()) {
    settings.server.host = "127.0.0.1";
    settings.server.port = 0;
  }
  if (above.admin_listen.empty()) {
    settings.admin.host = "127.0.0.1";
    settings.admin.port = 0;
  }
  settings.server.tls = {};
  if (above.log_level.empty() && settings.logging.file.empty())
    settings.logging.level = std::max(settings.logging.level, config::log_level::warn);
}

/// Errors of the options are added to `lines`.
void override_settings(config::settings& settings, const overrides& above, std::vector<std::string>& lines) {
  auto const set = [&](const char* option, const char* key, const std::string& value) {
    if (auto const wrong = config::assign(settings, key, value)) lines.push_back(std::string(option) + ": " + *wrong);
  };
  auto const set_address = [&](const char* option, const std::string& section, const std::string& value) {
    if (value.empty()) return;
    auto const colon = value.rfind(':');
    auto const port = value.substr(colon == std::string::npos ? 0 : colon + 1);
    if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos) {
      lines.push_back(
          fmt::format("{}: expected a port or HOST:PORT, such as 8080 or 127.0.0.1:8080; got '{}'", option, value));
      return;
    }
    auto host = colon == std::string::npos ? std::string() : value.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!host.empty()) set(option, (section + ".host").c_str(), host);
    set(option, (section + ".port").c_str(), port);
  };
  set_address("--listen", "server", above.listen);
  set_address("--admin-listen", "admin", above.admin_listen);
  if (!above.upstream.empty()) set("--upstream", "cerebras.base_url", above.upstream);
  if (!above.log_level.empty()) set("--log-level", "logging.level", above.log_level);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string decides(const config::settings& s, const config::upstream_settings& u, const std::string& path,
                    const std::string& key) {
  auto const limits = fmt::format("{} requests and {} tokens a minute{}", u.rpm_limit, u.tpm_limit,
                                  u.limits.empty() ? "" : ", and those of " + path + ".limits");
  auto const sent = key + " to " + u.base_url.authority();
  if (headers_decide(s, u))
    return "the provider's rate-limit headers decide when requests are sent; without them, " +
           (u.rate_limits.header_fallback ? "static limits of " + limits : std::string("no limit does")) + "; " + sent;
  std::string missing;
  if (!u.rate_limits.use_headers) missing = "use_headers: true under " + path + ".rate_limits";
  if (!s.features.header_based_rate_limiting)
    missing += (missing.empty() ? "" : " and ") + std::string("header_based_rate_limiting: true under feature_flags");
  return "static limits decide when requests are sent: " + limits + "; " + sent + "; set " + missing +
         " to let the provider's rate-limit headers decide";
}

}  // namespace

bool headers_decide(const config::settings& s, const config::upstream_settings& u) {
  return u.rate_limits.use_headers && s.features.header_based_rate_limiting;
}

std::string key_sent(const config::upstream_settings& u, const std::string& path, std::size_t account,
                     const config::environment& env) {
  if (!u.api_keys.empty()) return fmt::format("key {} of {}.api_keys is sent", account + 1, path);
  if (u.api_key.empty()) return u.pass_client_key ? "each client's own key is sent" : "no key is sent";
  bool const of_environment = path == "cerebras" && u.api_key == env("CEREBRAS_API_KEY");
  return of_environment ? "the key in CEREBRAS_API_KEY is sent" : "the key in " + path + ".api_key is sent";
}

std::string source::text() const {
  if (!path.empty()) return "configuration: " + path;
  std::string all;
  for (auto const& l : looked) all += (all.empty() ? "" : ", ") + l;
  return "no configuration file (" + all + "): the defaults";
}

source find_configuration(const arguments& args, const config::environment& env) {
  source found;
  if (!args.config.empty()) {
    found.path = args.config;
    return found;
  }
  std::vector<std::string> places{"config.yaml"};
  if (auto const xdg = env("XDG_CONFIG_HOME"); xdg && !xdg->empty()) {
    places.push_back(*xdg + "/cooldown-proxy/config.yaml");
  } else if (auto const home = env("HOME"); home && !home->empty()) {
    places.push_back(*home + "/.config/cooldown-proxy/config.yaml");
  }
  places.emplace_back("/etc/cooldown-proxy/config.yaml");
  for (auto& place : places) {
    if (access(place.c_str(), F_OK) == 0) {
      found.path = place;
      return found;
    }
    found.looked.push_back(std::move(place));
  }
  return found;
}

std::variant<config::settings, problems> load(const source& from, const arguments& args,
                                              const config::environment& env) {
  std::vector<std::string> lines;
  auto const adjust = [&](config::settings& settings) {
    override_settings(settings, args.above, lines);
    if (args.what == command::run) stand_beside(settings, args.above);
  };
  auto loaded =
      from.path.empty() ? config::parse("", "defaults", env, adjust) : config::load_file(from.path, env, adjust);
  if (!lines.empty()) return problems{std::move(lines), usage};
  if (auto const* const wrong = std::get_if<config::problems>(&loaded)) {
    for (auto const& p : *wrong) lines.push_back(p.text());
    return problems{std::move(lines), bad_configuration};
  }
  return std::move(std::get<config::settings>(loaded));
}

std::string located(const source& from, const std::string& wrong) {
  if (from.path.empty()) return "defaults: " + wrong;
  return from.path + config::place_of(wrong.substr(0, wrong.find(": ")), text_of(from.path)) + ": " + wrong;
}

std::optional<std::string> unwritable(const std::string& log_file) {
  namespace fs = std::filesystem;
  if (log_file.empty()) return std::nullopt;
  std::error_code ec;
  auto const complaint = [&](const std::string& why) { return "logging.file: " + log_file + ": " + why; };
  if (fs::exists(log_file, ec)) {
    if (fs::is_directory(log_file, ec)) return complaint("is a directory; name a file");
    if (access(log_file.c_str(), W_OK) != 0) return complaint(std::generic_category().message(errno));
    return std::nullopt;
  }
  auto folder = fs::path(log_file).parent_path();
  if (folder.empty()) folder = ".";
  if (!fs::is_directory(folder, ec)) return complaint("there is no directory " + folder.string() + "; create it");
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return complaint("no file can be created in " + folder.string() + ": " + std::generic_category().message(errno));
  return std::nullopt;
}

std::optional<std::string> exposed_secrets(const source& from, const config::settings& s) {
  namespace fs = std::filesystem;
  std::error_code ec;
  auto const mode = fs::status(from.path, ec).permissions();
  if (from.path.empty() || ec || (mode & fs::perms::others_read) == fs::perms::none) return std::nullopt;
  auto const text = text_of(from.path);
  auto secrets = s.server.auth_tokens;
  config::each_account(s, [&](auto const& /*upstream*/, auto const& /*path*/, std::size_t /*account*/,
                              const std::string& key) { secrets.push_back(key); });
  secrets.push_back(s.admin.token);
  for (auto const& c : s.cerebras.clients) secrets.push_back(c.credential.value_or(""));
  auto const stands_in_it = [&](const std::string& secret) {
    return secret.size() >= least_secret && text.find(secret) != std::string::npos;
  };
  if (std::none_of(secrets.begin(), secrets.end(), stands_in_it)) return std::nullopt;
  return "every user of this machine can read " + from.path +
         ", and there are secrets in it: chmod 600, or take them from the environment with ${NAME}";
}

bool is_worth_saying(const config::settings& s) {
  return !s.upstreams.empty() || s.cerebras.api_keys.size() > 1 || !headers_decide(s, s.cerebras);
}

std::vector<std::string> who_decides(const config::settings& s, const config::environment& env) {
  std::vector<std::string> lines;
  std::vector<std::string> names;
  config::each_account(s, [&](const config::upstream_settings& upstream, const std::string& path, std::size_t i,
                              const std::string& /*key*/) {
    names.push_back(upstream.account_name(i));
    lines.push_back(decides(s, upstream, path, key_sent(upstream, path, i, env)));
  });
  if (lines.size() > 1)
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i] = names[i] + ": " + lines[i];
  return lines;
}

std::vector<std::string> shared_accounts(const config::settings& s) {
  struct account {
    std::string key;
    const config::origin* at;
    std::string name;
  };
  std::vector<account> seen;
  std::vector<std::string> warnings;
  config::each_account(s, [&](const config::upstream_settings& upstream, const std::string& /*path*/, std::size_t i,
                              const std::string& key) {
    if (key.empty()) return;
    auto const& to = upstream.base_url;
    auto const same = std::find_if(seen.begin(), seen.end(), [&](const account& a) {
      return a.key == key && a.at->host == to.host && a.at->port == to.port;
    });
    if (same != seen.end())
      warnings.push_back(same->name + " and " + upstream.account_name(i) + " send the same key to " + to.authority() +
                         ": that is one account, and each of them would use its whole quota; remove one of them");
    seen.push_back({key, &to, upstream.account_name(i)});
  });
  return warnings;
}

}  // namespace cooldown::cli
