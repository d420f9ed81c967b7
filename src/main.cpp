// Connects all parts of the program.
#include <algorithm>
#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include <sys/resource.h>

#include <unistd.h>

#include "cooldown/http/json_text.hpp"
#include "cooldown/net/core_dumps.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/net/recorder.hpp"
#include "cooldown/net/server.hpp"
#include "cooldown/state/state_directory.hpp"

#include "cli/child.hpp"
#include "cli/configuration.hpp"
#include "cli/exit_codes.hpp"
#include "cli/online.hpp"
#include "cli/status_view.hpp"
#include "cli/usage_view.hpp"

namespace {

using namespace cooldown;

/// Ten thousand clients need as many descriptors; the soft limit is often 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Warnings about valid but risky settings, at the start.
void warn_of_risks(const config::settings& s, observe::log& log) {
  if (!config::is_loopback(s.server.host) && s.server.auth_tokens.empty())
    log.warn("server.host " + s.server.host +
             " is reachable from other machines and server.auth_tokens is empty: whoever reaches it can spend the "
             "quota. Set tokens, or listen on 127.0.0.1");
  if (!config::is_loopback(s.server.host) && s.server.tls.certificate_file.empty())
    log.warn("without server.tls, requests and keys travel unencrypted to server.host " + s.server.host);
  if (!config::is_loopback(s.admin.host)) log.warn("admin.host " + s.admin.host + " is reachable from other machines");
  config::each_upstream(s, [&](const config::upstream_settings& u, const std::string& /*path*/) {
    if (!u.api_key.empty() && !u.base_url.tls && !config::is_loopback(u.base_url.host))
      log.warn(u.name + ".base_url is http://: the API key travels unencrypted");
    if (!u.tls.verify) log.warn(u.name + ".tls.verify is false: anyone on the network path can read the API key");
  });
  for (auto const& warning : cli::shared_accounts(s)) log.warn(warning);
}

/// The variables that point a command's SDKs to the proxy. SDKs insist on a key: if the proxy has its own, theirs is
/// ignored, unless it is one of our tokens.
std::vector<std::string> variables_for(const config::settings& settings, std::uint16_t port) {
  auto const origin = "http://127.0.0.1:" + std::to_string(port);
  std::vector<std::string> variables{"OPENAI_BASE_URL=" + origin + "/v1", "CEREBRAS_BASE_URL=" + origin};
  if (settings.cerebras.api_key.empty()) return variables;
  auto const key =
      settings.server.auth_tokens.empty() ? std::string("cooldown-proxy") : settings.server.auth_tokens.front();
  for (auto const* const name : {"OPENAI_API_KEY", "CEREBRAS_API_KEY"})
    variables.push_back(std::string(name) + '=' + key);
  return variables;
}

/// Logs it, if there is memory for that.
void say_that_memory_is_out(observe::log& log) {
  try {
    log.error("out of memory");
  } catch (const std::bad_alloc&) {  // the next time
  }
}

/// Runs until there is nothing left to do. A failed allocation ends only what it was for.
void run(net::asio::io_context& io, observe::log& log) {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::bad_alloc&) {
      say_that_memory_is_out(log);
    }
  }
}

/// Where the state is kept over a restart; empty: nowhere.
struct state_place {
  state::database_place database{};
  std::string secret{};
};

state_place state_of(const config::settings& settings, observe::log& log) {
  if (settings.state.off) return {};
  auto const place = state::database_file(settings.state.file, config::process_environment());
  if (!place) {
    log.info(
        "nothing is remembered over a restart: neither state.file nor $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME "
        "says where");
    return {};
  }
  try {
    return {*place, state::secret_beside(place->file)};
  } catch (const std::exception& e) {
    log.warn(std::string("nothing is remembered over a restart: ") + e.what() + " (state.file)");
    return {};
  }
}

/// Runs the daemon, or with a command the proxy beside it.
int serve(const config::settings& settings, const cli::source& from, const cli::arguments& args) {
  raise_descriptor_limit();
  net::keep_memory_reserve();
  if (settings.server.core_dumps) net::allow_core_dumps();
  bool const beside = args.what == cli::command::run;
  try {
    auto const sockets = beside ? net::passed_sockets{} : net::take_passed_sockets();
    observe::log log(settings.logging);
    auto const reload = [&]() -> std::variant<config::settings, std::vector<std::string>> {
      auto loaded = cli::load(from, args, config::process_environment());
      if (auto* const wrong = std::get_if<cli::problems>(&loaded)) return std::move(wrong->lines);
      auto& now = std::get<config::settings>(loaded);
      for (auto const& line : cli::who_decides(now, config::process_environment())) log.info(line);
      warn_of_risks(now, log);
      if (auto const exposed = cli::exposed_secrets(from, now)) log.warn(*exposed);
      return std::move(now);
    };
    int status = cli::ok;
    try {
      // All that reads and writes happens in this thread; only look-ups of names and the writer of the state hand
      // something in from others.
      net::asio::io_context io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
      auto const memory = state_of(settings, log);
      net::app app(io, settings, log, memory.secret);
      log.info(from.text());
      for (auto const& line : cli::who_decides(settings, config::process_environment())) log.info(line);
      net::server server(app, reload, {.signals = !beside, .sockets = sockets});
      warn_of_risks(settings, log);
      if (auto const exposed = cli::exposed_secrets(from, settings)) log.warn(*exposed);
      std::optional<net::recorder> recorder;
      if (!memory.database.file.empty()) recorder.emplace(app, memory.database, memory.secret);
      std::unique_ptr<cli::child> command;
      if (beside) {
        auto const ended = [&](int code) {
          status = code;
          server.drain();
        };
        if (isatty(STDERR_FILENO) == 1)
          std::cerr << "cooldown-proxy: the queue is shown at http://127.0.0.1:" << server.admin_port() << "/\n";
        command = std::make_unique<cli::child>(io, args.command_line, variables_for(settings, server.port()), ended);
      }
      run(io, log);
      log.info("ended");
      if (beside && app.telemetry.stats.connections_accepted == 0 && isatty(STDERR_FILENO) == 1)
        std::cerr << "cooldown-proxy run: no request came through the proxy; does the command take its base URL from "
                     "OPENAI_BASE_URL or CEREBRAS_BASE_URL?\n";
      return status;
    } catch (const net::cannot_listen& e) {
      log.error(e.what());
      return cli::unavailable;
    } catch (const std::system_error& e) {
      if (!beside) throw;
      std::cerr << "cooldown-proxy run: " << http::visible(e.what()) << '\n';
      return e.code() == std::errc::no_such_file_or_directory ? cli::command_not_found : cli::command_not_executable;
    } catch (const std::exception& e) {
      log.error(e.what());
      return cli::failed;
    }
  } catch (const std::exception& e) {
    std::cerr << "cooldown-proxy: " << http::visible(e.what()) << '\n';
    return cli::failed;
  }
}

/// Errors of the files that the configuration names; nullopt: none.
std::optional<std::string> unusable_file(const config::settings& settings) {
  try {
    auto const usable = net::make_tls_server(settings.server.tls);
    config::each_upstream(settings, [](const config::upstream_settings& c, const std::string& path) {
      // The system's authorities take megabytes, for nothing if the provider is called without TLS.
      if (c.base_url.tls || !c.tls.ca_file.empty()) net::tls_client const loadable(c.tls, path);
    });
  } catch (const std::exception& e) {
    return e.what();
  }
  return cli::unwritable(settings.logging.file);
}

std::string name_of(const cli::source& from) {
  return from.path.empty() ? "defaults" : from.path;
}

int check(const config::settings& settings, const cli::source& from, bool online) {
  auto const name = name_of(from);
  std::cout << name << ": OK\n";
  if (cli::is_worth_saying(settings))
    for (auto const& line : cli::who_decides(settings, config::process_environment()))
      std::cout << name << ": " << line << '\n';
  for (auto const& warning : cli::shared_accounts(settings)) std::cout << name << ": warning: " << warning << '\n';
  if (auto const exposed = cli::exposed_secrets(from, settings)) std::cout << name << ": warning: " << *exposed << '\n';
  return online ? cli::check_online(settings, name, config::process_environment()) : cli::ok;
}

int status_of(const config::settings& settings, const cli::arguments& args) {
  try {
    auto at = args.admin.empty() ? cli::admin_address{settings.admin.host, std::to_string(settings.admin.port), {}}
                                 : cli::read_admin_address(args.admin);
    at.token = settings.admin.token;
    return cli::show_status(at, args.watch, args.json);
  } catch (const std::exception& e) {
    std::cerr << "cooldown-proxy status: " << http::visible(e.what()) << '\n';
    return cli::usage;
  }
}

int usage_of(const config::settings& settings, const cli::arguments& args) {
  auto const file = state::database_file(settings.state.file, config::process_environment());
  auto const back = config::duration_of(args.since);
  if (!file || !back) {
    std::cerr << "cooldown-proxy usage: "
              << (back ? "state.file names no database, and neither $XDG_STATE_HOME nor $HOME says where it is"
                       : "--since " + http::visible(args.since) + ": expected a duration such as 90m, 24h or 7d")
              << '\n';
    return cli::usage;
  }
  auto const since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() - *back);
  auto const as = args.json ? cli::usage_format::json : args.csv ? cli::usage_format::csv : cli::usage_format::table;
  return cli::show_usage(file->file, since.time_since_epoch().count(), args.by, as);
}

/// At most a screen of errors is printed.
void print_problems(const std::vector<std::string>& lines) {
  constexpr std::size_t most = 20;
  for (std::size_t i = 0; i < std::min(most, lines.size()); ++i) std::cerr << http::visible(lines[i]) << '\n';
  if (lines.size() > most) std::cerr << "and " << lines.size() - most << " more\n";
}

}  // namespace

int main(int argc, char** argv) {
  auto const parsed = cli::parse(argc, argv);
  if (auto const* const code = std::get_if<int>(&parsed)) return *code;
  auto const& args = std::get<cli::arguments>(parsed);
  if (args.what == cli::command::completion) {
    std::cout << cli::completion_script(args.shell);
    return cli::ok;
  }
  if (args.what == cli::command::manual) {
    std::cout << cli::manual_page();
    return cli::ok;
  }
  if (args.what == cli::command::help) {
    auto const text = cli::help_text(args.topic);
    (text ? std::cout : std::cerr) << text.value_or("cooldown-proxy: there is no command '" + args.topic + "'\n");
    return text ? cli::ok : cli::usage;
  }
  net::forbid_core_dumps();  // before a key is read
  auto const environment = config::process_environment();
  auto const from = cli::find_configuration(args, environment);
  auto loaded = cli::load(from, args, environment);
  if (auto const* const wrong = std::get_if<cli::problems>(&loaded)) {
    print_problems(wrong->lines);
    return args.check_flag ? cli::check_config_failed : wrong->code;
  }
  auto& settings = std::get<config::settings>(loaded);
  bool const needs_files =
      args.what == cli::command::check || args.what == cli::command::serve || args.what == cli::command::run;
  if (auto const wrong = needs_files ? unusable_file(settings) : std::nullopt) {
    std::cerr << http::visible(cli::located(from, *wrong)) << '\n';
    return args.check_flag ? cli::check_config_failed : cli::bad_configuration;
  }
  switch (args.what) {
    case cli::command::check:
      return check(settings, from, args.online);
    case cli::command::print_config:
      std::cout << "# " << from.text() << '\n' << config::print(settings);
      return cli::ok;
    case cli::command::status:
      return status_of(settings, args);
    case cli::command::usage:
      return usage_of(settings, args);
    default:
      break;
  }
  return serve(settings, from, args);
}
