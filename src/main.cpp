// The wiring diagram: reading main() names every part.
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include "cooldown/config/load.hpp"
#include "cooldown/net/core_dumps.hpp"
#include "cooldown/net/server.hpp"

namespace {

using namespace cooldown;

constexpr int exit_ok = 0;
constexpr int exit_bad_configuration = 1;
constexpr int exit_failed = 2;

/// The seed's spelling `-config FILE`, which no option parser knows, becomes `--config FILE`.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> args;
  for (int i = argc - 1; i > 0; --i) {
    std::string arg = argv[i];
    if (arg == "-config" || arg.starts_with("-config=")) arg.insert(0, 1, '-');
    args.push_back(std::move(arg));  // CLI11 wants them in reverse
  }
  return args;
}

/// Ten thousand clients need as many descriptors; the soft limit is often 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<std::string> lines_of(const config::problems& problems) {
  std::vector<std::string> lines;
  for (auto const& p : problems) lines.push_back(p.text());
  return lines;
}

/// What is legal but deserves a word at the start.
void warn_of_risks(const config::settings& s, observe::log& log) {
  auto const& c = s.cerebras;
  if (!config::is_loopback(s.server.host) && s.server.auth_tokens.empty())
    log.warn("server.host " + s.server.host +
             " is reachable from other machines and server.auth_tokens is empty: whoever reaches it can spend the "
             "quota. Set tokens, or listen on 127.0.0.1");
  if (!config::is_loopback(s.server.host) && s.server.tls.certificate_file.empty())
    log.warn("without server.tls, requests and keys travel unencrypted to server.host " + s.server.host);
  if (!config::is_loopback(s.admin.host)) log.warn("admin.host " + s.admin.host + " is reachable from other machines");
  if (!c.api_key.empty() && !c.base_url.tls && !config::is_loopback(c.base_url.host))
    log.warn("cerebras.base_url is http://: the API key travels unencrypted");
  if (!c.tls.verify) log.warn("cerebras.tls.verify is false: anybody on the way can read the API key");
}

int serve(const config::settings& settings, const std::string& path) {
  raise_descriptor_limit();
  if (settings.server.core_dumps) net::allow_core_dumps();
  observe::log log(settings.logging);
  auto const reload = [&]() -> std::variant<config::settings, std::vector<std::string>> {
    auto loaded = config::load_file(path, config::process_environment());
    if (auto const* const problems = std::get_if<config::problems>(&loaded)) return lines_of(*problems);
    warn_of_risks(std::get<config::settings>(loaded), log);
    return std::get<config::settings>(std::move(loaded));
  };
  try {
    net::asio::io_context io(1);
    net::app app(io, settings, log);
    net::server server(app, reload);
    warn_of_risks(settings, log);
    io.run();
    log.info("ended");
    return exit_ok;
  } catch (const std::exception& e) {
    log.error(e.what());
    return exit_failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string path = "config.yaml";
  bool check = false;
  CLI::App cli{"cooldown-proxy queues LLM API requests until the provider's quota admits them.", "cooldown-proxy"};
  cli.add_option("-c,--config", path, "configuration file")->capture_default_str();
  cli.add_flag("--check-config", check, "validate the configuration, say OK or every error, and exit");
  cli.set_version_flag("--version", std::string("cooldown-proxy ") + COOLDOWN_VERSION);
  try {
    cli.parse(arguments(argc, argv));
  } catch (const CLI::ParseError& e) {
    return cli.exit(e);
  }
  net::forbid_core_dumps();  // before a key is read
  auto const loaded = config::load_file(path, config::process_environment());
  if (auto const* const problems = std::get_if<config::problems>(&loaded)) {
    for (auto const& line : lines_of(*problems)) std::cerr << line << '\n';
    return exit_bad_configuration;
  }
  try {
    auto const& settings = std::get<config::settings>(loaded);
    auto const usable = net::make_tls_server(settings.server.tls);
    if (check) net::tls_client const loadable(settings.cerebras.tls);
  } catch (const std::exception& e) {
    std::cerr << path << ": " << e.what() << '\n';
    return exit_bad_configuration;
  }
  if (check) {
    std::cout << path << ": OK\n";
    return exit_ok;
  }
  return serve(std::get<config::settings>(loaded), path);
}
