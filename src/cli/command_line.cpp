#include "command_line.hpp"

#include <algorithm>
#include <functional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cooldown/state/store.hpp"

#include "exit_codes.hpp"

namespace cooldown::cli {
namespace {

constexpr auto what_it_is = "cooldown-proxy queues LLM API requests until the provider's quota admits them.";

bool takes_value(const CLI::App& cli, const std::string& arg) {
  auto const* const option = arg.starts_with('-') ? cli.get_option_no_throw(arg) : nullptr;
  return option && option->get_items_expected_max() > 0;
}

/// Converts the spelling `-config FILE`, which CLI11 does not know, to `--config FILE`, and finds where the command of
/// `run` begins, with or without `--`.
std::vector<std::string> as_typed(const CLI::App& cli, int argc, char** argv) {
  std::vector<std::string> args;
  bool run = false;
  bool command_line = false;  // of `run`: none of our business
  bool value = false;         // of the option before
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (!command_line && (arg == "-config" || arg.starts_with("-config="))) arg.insert(0, 1, '-');
    if (run && !command_line && !value && !arg.starts_with('-')) {
      args.emplace_back("--");
      command_line = true;
    }
    command_line = command_line || arg == "--";
    run = run || (!value && arg == "run");
    value = !command_line && takes_value(cli, arg);
    args.push_back(std::move(arg));
  }
  std::reverse(args.begin(), args.end());  // as CLI11 wants them
  return args;
}

void describe(CLI::App& cli, arguments& into) {
  cli.add_option(
         "-c,--config", into.config,
         "configuration file; without it the first of ./config.yaml, $XDG_CONFIG_HOME/cooldown-proxy/config.yaml "
         "and /etc/cooldown-proxy/config.yaml, or the defaults")
      ->type_name("FILE");
  cli.add_option("--listen", into.above.listen, "where clients connect, instead of server.host and server.port")
      ->type_name("[HOST:]PORT");
  cli.add_option("--admin-listen", into.above.admin_listen,
                 "where the live page and the metrics are, instead of admin.host and admin.port")
      ->type_name("[HOST:]PORT");
  cli.add_option("--upstream", into.above.upstream, "the provider, instead of cerebras.base_url")->type_name("URL");
  cli.add_option("--log-level", into.above.log_level, "instead of logging.level")->type_name("LEVEL");
  cli.add_flag("--check-config", into.check_flag, "the same as `check`, but exit code 1 when it is not valid");
  cli.set_version_flag("--version", std::string("cooldown-proxy ") + COOLDOWN_VERSION);
  cli.require_subcommand(0, 1);
  cli.fallthrough();
  auto const sub = [&](const char* name, const char* help, command what) {
    return cli.add_subcommand(name, help)->callback([&into, what] { into.what = what; });
  };
  sub("check", "validate the configuration, say OK or every error, and exit", command::check)
      ->add_flag(
          "--online", into.online,
          "also send one GET /v1/models with each key, and say what answers, in which dialect and with which limits");
  sub("print-config", "print the configuration in force, defaults included, secrets hidden", command::print_config);
  auto* const status =
      sub("status", "show the quota, the queue and the last requests of a running proxy", command::status);
  status->add_flag("-w,--watch", into.watch, "refresh every second until interrupted");
  status->add_flag("--json", into.json, "as JSON, for programs: what GET /status answers");
  status->add_option("--admin", into.admin, "the proxy's admin port, instead of admin.host and admin.port")
      ->type_name("URL");
  auto* const used =
      sub("usage", "show what was used, as the running proxy or the last one has recorded it", command::usage);
  used->add_option("--since", into.since, "how far back: a duration such as 90m, 24h or 7d (default 7d)")
      ->type_name("DURATION");
  used->add_option("--by", into.by, "model, client, upstream, outcome, day or hour, in UTC (default model)")
      ->type_name("WHAT")
      ->check(CLI::IsMember(std::vector<std::string>(state::grouping_words.begin(), state::grouping_words.end())));
  auto* const as_json = used->add_flag("--json", into.json, "as JSON, for programs");
  used->add_flag("--csv", into.csv, "as comma-separated values")->excludes(as_json);
  auto* const run = sub("run",
                        "start a proxy on a free port, run COMMAND with OPENAI_BASE_URL and CEREBRAS_BASE_URL "
                        "pointing to it, and end with its exit code",
                        command::run);
  run->add_option("command", into.command_line, "the command and its arguments")->type_name("COMMAND")->required();
  auto* const completion = sub("completion", "print a completion script", command::completion);
  completion->add_option("shell", into.shell, "bash, zsh or fish")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  sub("manual", "print the manual page, in roff", command::manual);
  sub("help", "print help for one command, or for all", command::help)
      ->add_option("topic", into.topic, "a command")
      ->type_name("COMMAND");
}

struct described_option {
  std::vector<std::string> names;  // with their dashes
  std::string value;               // "FILE"; empty: a flag
  std::string help;
};

std::vector<described_option> options_of(const CLI::App& app) {
  std::vector<described_option> all;
  for (auto const* o : app.get_options()) {
    described_option d;
    for (auto const& n : o->get_snames()) d.names.push_back("-" + n);
    for (auto const& n : o->get_lnames()) d.names.push_back("--" + n);
    if (d.names.empty()) continue;
    if (app.get_parent() && d.names.back() == "--help") continue;  // every command has it
    if (o->get_items_expected_max() > 0) d.value = o->get_type_name();
    d.help = o->get_description();
    all.push_back(std::move(d));
  }
  return all;
}

/// Calls `use` with the same parser as parse().
template <class Use>
auto with_parser(Use use) {
  arguments ignored;
  CLI::App cli{what_it_is, "cooldown-proxy"};
  describe(cli, ignored);
  return use(cli);
}

constexpr auto shells = "bash zsh fish ";
constexpr auto log_levels = "trace debug info warn error off";

std::string names_of_commands(const CLI::App& cli) {
  std::string words;
  for (auto const* s : cli.get_subcommands([](const CLI::App*) { return true; })) words += s->get_name() + ' ';
  return words;
}

std::string words_of(const CLI::App& app) {
  std::string words = app.get_name() == "completion" ? shells : "";
  for (auto const* s : app.get_subcommands([](const CLI::App*) { return true; })) words += s->get_name() + ' ';
  for (auto const& o : options_of(app))
    for (auto const& n : o.names) words += n + ' ';
  return words.empty() ? words : words.substr(0, words.size() - 1);
}

std::string fish_script(const CLI::App& cli) {
  std::string out;
  auto const line = [&](const std::string& when, const described_option& o) {
    out += "complete -c cooldown-proxy" + when;
    for (auto const& n : o.names) out += n.starts_with("--") ? " -l " + n.substr(2) : " -s " + n.substr(1);
    auto help = o.help;
    std::replace(help.begin(), help.end(), '\'', ' ');
    out += (o.value.empty() ? "" : " -r") + std::string(" -d '") + help + "'\n";
  };
  for (auto const& o : options_of(cli)) line("", o);
  for (auto const* s : cli.get_subcommands([](const CLI::App*) { return true; })) {
    auto help = s->get_description();
    std::replace(help.begin(), help.end(), '\'', ' ');
    out += "complete -c cooldown-proxy -n __fish_use_subcommand -f -a " + s->get_name() + " -d '" + help + "'\n";
    for (auto const& o : options_of(*s)) line(" -n '__fish_seen_subcommand_from " + s->get_name() + "'", o);
  }
  out += std::string("complete -c cooldown-proxy -l log-level -x -a '") + log_levels + "'\n";
  out += std::string("complete -c cooldown-proxy -n '__fish_seen_subcommand_from completion' -f -a '") + shells + "'\n";
  out += "complete -c cooldown-proxy -n '__fish_seen_subcommand_from help' -f -a '" + names_of_commands(cli) + "'\n";
  return out;
}

std::string roff(std::string text) {
  std::string out;
  for (char const c : text) {
    if (c == '-' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void append_options(std::string& out, const CLI::App& app) {
  for (auto const& o : options_of(app)) {
    std::string names;
    for (auto const& n : o.names) names += (names.empty() ? "" : ", ") + n;
    out += ".TP\n\\fB" + roff(names) + "\\fR" + (o.value.empty() ? "" : " \\fI" + roff(o.value) + "\\fR") + "\n" +
           roff(o.help) + "\n";
  }
}

}  // namespace

std::variant<arguments, int> parse(int argc, char** argv) {
  arguments result;
  CLI::App cli{what_it_is, "cooldown-proxy"};
  describe(cli, result);
  try {
    cli.parse(as_typed(cli, argc, argv));
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? ok : usage;
  }
  if (result.check_flag) result.what = command::check;
  return result;
}

std::string completion_script(const std::string& shell) {
  return with_parser([&](const CLI::App& cli) -> std::string {
    if (shell == "fish") return fish_script(cli);
    std::string cases;
    for (auto const* s : cli.get_subcommands([](const CLI::App*) { return true; }))
      cases += fmt::format("      {}) words=\"$words {}\" ;;\n", s->get_name(), words_of(*s));
    auto const body = fmt::format(R"(_cooldown_proxy() {{
  local words='{0}' word
  case $prev in
    -c|--config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --log-level) COMPREPLY=($(compgen -W '{2}' -- "$cur")); return ;;
    help) COMPREPLY=($(compgen -W '{3}' -- "$cur")); return ;;
  esac
  for word in "${{COMP_WORDS[@]}}"; do
    case $word in
{1}    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
)",
                                  words_of(cli), cases, log_levels, names_of_commands(cli));
    auto const wrapped =
        "_cooldown_proxy_complete() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "  _cooldown_proxy\n}\ncomplete -F _cooldown_proxy_complete cooldown-proxy\n";
    if (shell == "zsh")
      return "#compdef cooldown-proxy\nautoload -U +X bashcompinit && bashcompinit\n" + body + wrapped;
    return body + wrapped;
  });
}

std::string manual_page() {
  return with_parser([](const CLI::App& cli) {
    std::string out =
        std::string(".TH COOLDOWN\\-PROXY 1 \"\" \"cooldown\\-proxy ") + COOLDOWN_VERSION +
        "\"\n.SH NAME\ncooldown\\-proxy \\- queue LLM API requests until the provider's quota admits them\n"
        ".SH SYNOPSIS\n.B cooldown\\-proxy\n[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR]\n.SH DESCRIPTION\n"
        "Without a command, serves OpenAI\\-compatible clients, by default on http://127.0.0.1:8080/v1: each "
        "request waits until the provider's quota, as shown by its response headers, admits it.\n.SH OPTIONS\n";
    append_options(out, cli);
    out += ".SH COMMANDS\n";
    for (auto const* s : cli.get_subcommands([](const CLI::App*) { return true; })) {
      out += ".SS " + roff(s->get_name()) + "\n" + roff(s->get_description()) + "\n";
      append_options(out, *s);
    }
    out +=
        ".SH SIGNALS\nSIGTERM and SIGINT finish running requests and end; a second one ends at once. SIGHUP reads the "
        "configuration again. SIGUSR1 reopens the log file.\n"
        ".SH FILES\n.TP\n.B ./config.yaml\n.TQ\n.B ~/.config/cooldown\\-proxy/config.yaml\n.TQ\n"
        ".B /etc/cooldown\\-proxy/config.yaml\nThe configuration: the first of these, unless \\fB\\-\\-config\\fR "
        "names another. None is needed.\n"
        ".SH EXAMPLES\n.TP\n.B CEREBRAS_API_KEY=csk\\-... cooldown\\-proxy\nServe on http://127.0.0.1:8080/v1.\n"
        ".TP\n.B cooldown\\-proxy run \\-\\- python3 agent.py\nRun one program with its own proxy.\n"
        ".TP\n.B cooldown\\-proxy status \\-\\-watch\nWatch the quota and the queue.\n"
        ".SH ENVIRONMENT\n.TP\n.B CEREBRAS_API_KEY\nThe key for the provider, where the configuration does not name "
        "another.\n.TP\n.B NO_COLOR\nNo colours in \\fBstatus\\fR.\n"
        ".SH EXIT STATUS\n0: clean shutdown. 64: usage error. 69: cannot listen, no proxy answers, or "
        "\\fBcheck \\-\\-online\\fR found a provider that cannot be used. "
        "70: any other error. 78: configuration error. 1: \\-\\-check\\-config found an error. \\fBrun\\fR ends with "
        "its "
        "command's.\n"
        ".SH SEE ALSO\n/usr/share/doc/cooldown\\-proxy\n";
    return out;
  });
}

std::optional<std::string> help_text(const std::string& topic) {
  return with_parser([&](const CLI::App& cli) -> std::optional<std::string> {
    if (topic.empty()) return cli.help();
    for (auto const* s : cli.get_subcommands([](const CLI::App*) { return true; }))
      if (s->get_name() == topic) return s->help(cli.get_name());
    return std::nullopt;
  });
}

}  // namespace cooldown::cli
