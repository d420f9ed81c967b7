#include "cooldown/sim/options.hpp"

#include <charconv>
#include <map>

#include <CLI/CLI.hpp>

namespace cooldown::sim {
namespace {

const std::map<std::string, refill_rule> refill_names{
    {"bucket", refill_rule::bucket}, {"window", refill_rule::window}, {"sliding", refill_rule::sliding}};
const std::map<std::string, cost_rule> cost_names{{"documented", cost_rule::documented},
                                                  {"measured", cost_rule::measured}};
const std::map<std::string, header_style> header_names{{"resets", header_style::resets},
                                                       {"all-resets", header_style::all_resets},
                                                       {"plain", header_style::plain},
                                                       {"two-buckets", header_style::two_buckets},
                                                       {"none", header_style::none}};
const std::map<std::string, refusal_style> refusal_names{{"headers", refusal_style::headers},
                                                         {"bare", refusal_style::bare}};

// CLI11's own transformer shows an enum's bytes in its messages.
template <class Names>
CLI::Validator one_of(const Names& names) {
  const auto translate = [&names](std::string& text) -> std::string {
    if (const auto found = names.find(text); found != names.end()) {
      text = std::to_string(static_cast<int>(found->second));
      return {};
    }
    std::string known;
    for (const auto& each : names) known.append(known.empty() ? "" : ", ").append(each.first);
    return "'" + text + "' is not one of " + known;
  };
  return CLI::Validator{translate, ""};
}

constexpr double default_total_factor = 3;

// HOST:PORT, [V6]:PORT or :PORT.
bool parse_listen(const std::string& text, sim_options& options) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, options.port);
  if (error != std::errc{} || stop != end) return false;
  auto host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (!host.empty()) options.host = host;
  return true;
}

void finish_models(sim_options& options) {
  if (options.models.empty()) {
    model_limits free_tier;
    free_tier.rpm = 30;
    free_tier.tpm = 60000;
    free_tier.rph = 900;
    free_tier.rpd = 14400;
    options.models = {{"gpt-oss-120b", free_tier}, {"llama3.1-8b", free_tier}};
  }
  for (auto& model : options.models) {
    if (model.limits.rps == 0) model.limits.rps = options.rps;
    const bool needs_total = options.headers == header_style::two_buckets;
    if (needs_total && model.limits.total_factor == 0) model.limits.total_factor = default_total_factor;
  }
}

}  // namespace

std::optional<int> parse_command_line(int argc, const char* const* argv, sim_options& options) {
  CLI::App app{"cerebras-sim: a local stand-in for the Cerebras inference API, its limits included."};
  app.set_version_flag("--version", "cerebras-sim " COOLDOWN_VERSION);

  std::string listen = "127.0.0.1:9090";
  std::vector<std::string> models;
  std::vector<std::string> faults;
  double headers_until = 0;
  std::int64_t ttft = options.ttft.count();

  app.add_option("--listen", listen, "HOST:PORT; port 0: any free one")->capture_default_str();
  app.add_option("--model", models,
                 "NAME,rpm=30,tpm=60000,... with rps, rpm, rph, rpd, tpm, tph, tpd, total (factor of the total-token "
                 "bucket); repeatable. Default: gpt-oss-120b and llama3.1-8b with rpm=30,tpm=60000,rph=900,rpd=14400")
      ->allow_extra_args(false);
  app.add_flag("--any-model", options.any_model, "Unknown models exist too, with the limits of the first");
  app.add_option("--refill", options.rules.refill, "How limits refill: bucket, window or sliding (default bucket)")
      ->type_name("NAME")
      ->transform(one_of(refill_names));
  app.add_option("--cost", options.rules.cost, "Charge at admission: documented or measured (default documented)")
      ->type_name("NAME")
      ->transform(one_of(cost_names));
  app.add_option("--headers", options.headers,
                 "Rate-limit headers: resets, all-resets, plain, two-buckets or none (default plain)")
      ->type_name("NAME")
      ->transform(one_of(header_names));
  app.add_option("--refusal", options.refusal, "A 429 carries: headers, or bare retry-after (default bare)")
      ->type_name("NAME")
      ->transform(one_of(refusal_names));
  app.add_option("--retry-after", options.retry_after, "Seconds that a bare refusal says")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--rps", options.rps, "Hidden limit of requests per second; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--speed", options.speed, "Output tokens per second; 0: all at once")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--ttft", ttft, "Milliseconds to the first token")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{86400000}))
      ->capture_default_str();
  app.add_option("--reply-tokens", options.reply_tokens, "Length of a reply, unless its maximum is lower")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10000000}))
      ->capture_default_str();
  app.add_option("--chars-per-token", options.chars_per_token, "Characters of input in a token")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--default-max-tokens", options.rules.default_max_tokens,
                 "Output charged at admission to a request without a maximum (documented rule)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10000000}))
      ->capture_default_str();
  app.add_option("--fault", faults,
                 "KIND[=ARG][@PROBABILITY]; repeatable: status=CODE, load, payment, reset, stall, garbage, delay=MS, "
                 "reset-mid-stream[=CHUNKS], close-mid-body[=CHUNKS], bad-chunk, in-stream-error[=CHUNKS], "
                 "bad-headers, no-usage")
      ->allow_extra_args(false);
  auto* until = app.add_option("--headers-until", headers_until, "Seconds after which rate-limit headers vanish")
                    ->check(CLI::NonNegativeNumber);
  app.add_option("--foreign", options.rules.foreign_tpm, "Tokens per minute that another consumer takes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--api-key", options.api_key, "The only right bearer key; without it every key is right");
  auto* cert =
      app.add_option("--tls-cert", options.tls_cert, "Certificate chain (PEM): serve https")->check(CLI::ExistingFile);
  auto* key = app.add_option("--tls-key", options.tls_key, "Its private key (PEM)")->check(CLI::ExistingFile);
  cert->needs(key);
  key->needs(cert);
  app.add_option("--seed", options.seed, "Of the random numbers behind probabilities")->capture_default_str();
  app.add_flag("--quiet", options.quiet, "No line per request on stderr");

  try {
    app.parse(argc, argv);
    if (!parse_listen(listen, options)) throw CLI::ValidationError("--listen", "'" + listen + "' is not HOST:PORT");
    std::string error;
    for (const auto& text : models) {
      auto model = parse_model_spec(text, error);
      if (!model) throw CLI::ValidationError("--model", error);
      options.models.push_back(std::move(*model));
    }
    for (const auto& text : faults) {
      const auto parsed = parse_fault(text, error);
      if (!parsed) throw CLI::ValidationError("--fault", error);
      options.faults.push_back(*parsed);
    }
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  options.ttft = std::chrono::milliseconds{ttft};
  if (until->count() > 0) {
    options.headers_until = std::chrono::milliseconds{static_cast<std::int64_t>(headers_until * 1000)};
  }
  finish_models(options);
  return std::nullopt;
}

}  // namespace cooldown::sim
