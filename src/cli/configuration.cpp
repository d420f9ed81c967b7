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

}  // namespace

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
  config::each_upstream(s, [&](const config::upstream_settings& upstream, const std::string& /*path*/) {
    for (auto const& key : upstream.account_keys()) secrets.push_back(key);
  });
  secrets.push_back(s.admin.token);
  for (auto const& c : s.cerebras.clients) secrets.push_back(c.credential.value_or(""));
  auto const stands_in_it = [&](const std::string& secret) {
    return secret.size() >= least_secret && text.find(secret) != std::string::npos;
  };
  if (std::none_of(secrets.begin(), secrets.end(), stands_in_it)) return std::nullopt;
  return "every user of this machine can read " + from.path +
         ", and there are secrets in it: chmod 600, or take them from the environment with ${NAME}";
}

bool headers_decide(const config::settings& s) {
  return s.cerebras.rate_limits.use_headers && s.features.header_based_rate_limiting;
}

std::string who_decides(const config::settings& s, const config::environment& env) {
  auto const& c = s.cerebras;
  auto const limits = fmt::format("{} requests and {} tokens a minute{}", c.rpm_limit, c.tpm_limit,
                                  c.limits.empty() ? "" : ", and those of cerebras.limits");
  auto const key = c.api_key.empty()                      ? std::string("each client's own key is sent")
                   : c.api_key == env("CEREBRAS_API_KEY") ? std::string("the key in CEREBRAS_API_KEY is sent")
                                                          : std::string("the key in cerebras.api_key is sent");
  auto const keys = key + " to " + c.base_url.authority();
  if (headers_decide(s))
    return "the provider's rate-limit headers decide when requests are sent; without them, " +
           (c.rate_limits.header_fallback ? "static limits of " + limits : std::string("no limit does")) + "; " + keys;
  std::string lines;
  if (!c.rate_limits.use_headers) lines = "use_headers: true under cerebras.rate_limits";
  if (!s.features.header_based_rate_limiting)
    lines += (lines.empty() ? "" : " and ") + std::string("header_based_rate_limiting: true under feature_flags");
  return "static limits decide when requests are sent: " + limits + "; " + keys + "; set " + lines +
         " to let the provider's rate-limit headers decide";
}

}  // namespace cooldown::cli
