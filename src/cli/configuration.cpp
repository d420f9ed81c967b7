#include "configuration.hpp"

#include <unistd.h>

namespace cooldown::cli {
namespace {

/// What holds without a file: the defaults, and the key that the SDKs read, too.
constexpr auto no_file = "cerebras: {api_key: \"${CEREBRAS_API_KEY:-}\", rate_limits: {use_headers: true}}\n";

}  // namespace

std::string source::text() const {
  if (!path.empty()) return "configuration: " + path;
  std::string all;
  for (auto const& l : looked) all += (all.empty() ? "" : ", ") + l;
  return "no configuration file (" + all + "): the defaults, with the provider's headers in use";
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

std::variant<config::settings, std::vector<std::string>> load(const source& from, const overrides& above,
                                                              const config::environment& env) {
  auto loaded = from.path.empty() ? config::parse(no_file, "defaults", env) : config::load_file(from.path, env);
  std::vector<std::string> lines;
  if (auto const* const problems = std::get_if<config::problems>(&loaded)) {
    for (auto const& p : *problems) lines.push_back(p.text());
    return lines;
  }
  auto& settings = std::get<config::settings>(loaded);
  auto const set = [&](const char* option, const char* key, const std::string& value) {
    if (auto const wrong = config::assign(settings, key, value)) lines.push_back(std::string(option) + ": " + *wrong);
  };
  if (!above.listen.empty()) {
    auto const colon = above.listen.rfind(':');
    auto host = colon == std::string::npos ? std::string() : above.listen.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!host.empty()) set("--listen", "server.host", host);
    set("--listen", "server.port", above.listen.substr(colon == std::string::npos ? 0 : colon + 1));
  }
  if (!above.upstream.empty()) set("--upstream", "cerebras.base_url", above.upstream);
  if (!above.log_level.empty()) set("--log-level", "logging.level", above.log_level);
  if (lines.empty()) return std::move(settings);
  return lines;
}

}  // namespace cooldown::cli
