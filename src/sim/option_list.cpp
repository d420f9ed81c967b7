#include "option_list.hpp"

#include <map>

#include "cooldown/sim/dialects.hpp"

#include "sim/provider_file.hpp"

namespace cooldown::sim {
namespace {

const std::map<std::string, refill_rule> refill_words{refill_names.begin(), refill_names.end()};
const std::map<std::string, cost_rule> cost_names{{"documented", cost_rule::documented},
                                                  {"measured", cost_rule::measured}};
const std::map<std::string, header_style> header_names{{"resets", header_style::resets},
                                                       {"all-resets", header_style::all_resets},
                                                       {"plain", header_style::plain},
                                                       {"two-buckets", header_style::two_buckets},
                                                       {"none", header_style::none}};
const std::map<std::string, refusal_style> refusal_names{
    {"headers", refusal_style::telling}, {"bare", refusal_style::bare}, {"generic", refusal_style::generic}};

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

std::string unknown_dialect(const std::string& name) {
  std::string known;
  for (const auto& each : dialects()) known.append(known.empty() ? "" : ", ").append(each.name);
  return "'" + name + "' is not one of " + known;
}

}  // namespace

void add_provider(CLI::App& app, sim_options& options, words& said) {
  auto& provider = options.provider;
  // First, because options are taken in this order: the others change what the file says.
  app.add_option_function<std::string>(
         "--provider",
         [&](const std::string& file) {
           auto loaded = load_provider(file);
           if (const auto* const error = std::get_if<std::string>(&loaded))
             throw CLI::ValidationError("--provider", *error);
           auto& found = std::get<provider_file>(loaded);
           options.provider = std::move(found.provider);
           options.run = found.length;
           said.provider_file = file;
         },
         "A workload's YAML file, whose provider: section describes the provider (docs/schedule.md); other options "
         "override it")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--dialect",
         [&](const std::string& name) {
           const auto* const found = find_dialect(name);
           if (found == nullptr) throw CLI::ValidationError("--dialect", unknown_dialect(name));
           speak(options.provider, *found);
           options.any_model = true;
           said.dialect = name;
         },
         "Another provider, with its limits, headers and refusals: openai, groq, azure, github, mistral, anthropic, "
         "gemini, ...; an unknown name lists them")
      ->type_name("NAME");
  app.add_option("--model", said.models,
                 "NAME,rpm=30,tpm=60000,... with rps, rpm, rph, rpd, tpm, tph, tpd, total (factor of the total-token "
                 "bucket); repeatable. Default: gpt-oss-120b and llama3.1-8b with rpm=30,tpm=60000,rph=900,rpd=14400")
      ->allow_extra_args(false);
  app.add_flag("--any-model", options.any_model, "Every model name exists, with the limits of the first model");
  app.add_option("--refill", provider.rules.refill, "How limits refill: bucket, window or sliding (default bucket)")
      ->type_name("NAME")
      ->transform(one_of(refill_words));
  app.add_option("--cost", provider.rules.cost, "Charge at admission: documented or measured (default documented)")
      ->type_name("NAME")
      ->transform(one_of(cost_names));
  app.add_option("--headers", provider.headers,
                 "Rate-limit headers: resets, all-resets, plain, two-buckets or none (default plain)")
      ->type_name("NAME")
      ->transform(one_of(header_names));
  app.add_option("--headers-until", said.headers_until, "Seconds after which rate-limit headers vanish")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--refusal", said.refusal,
                 "Headers of a 429: headers, bare (retry-after only), or generic (bare, and no code in its body) "
                 "(default bare)")
      ->type_name("NAME")
      ->transform(one_of(refusal_names));
  app.add_option("--retry-after", said.retry_after, "retry-after of refusals without headers, in seconds (default 60)")
      ->check(CLI::Range(0, 1000000));
  app.add_option("--rps", options.rps, "Hidden limit of requests per second; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--default-max-tokens", provider.rules.default_max_tokens,
                 "Output charged at admission to a request without a maximum (documented rule)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10000000}))
      ->capture_default_str();
  app.add_option("--foreign", provider.rules.foreign_tpm, "Tokens per minute that somebody else uses")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_answers(CLI::App& app, sim_options& options, words& said) {
  app.add_option("--speed", options.speed, "Output tokens per second; 0: all at once")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--ttft", said.ttft, "Milliseconds to the first token")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{86400000}))
      ->capture_default_str();
  app.add_option("--reply-tokens", options.reply_tokens, "Length of a reply, unless its maximum is lower")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10000000}))
      ->capture_default_str();
  app.add_option("--chars-per-token", said.chars_per_token, "Characters of input per token (default 4)")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_option("--fault", said.faults,
                 "KIND[=ARG][@PROBABILITY]; repeatable: status=CODE, load, payment, reset, stall, garbage, delay=MS, "
                 "reset-mid-stream[=CHUNKS], close-mid-body[=CHUNKS], bad-chunk, in-stream-error[=CHUNKS], "
                 "bad-headers, no-usage")
      ->allow_extra_args(false);
  app.add_option("--seed", options.seed, "Seeds the random numbers behind probabilities")->capture_default_str();
}

void add_server(CLI::App& app, sim_options& options, words& said) {
  app.add_option("--listen", said.listen, "HOST:PORT; port 0: any free one")->capture_default_str();
  app.add_option(
         "--api-key", options.api_keys,
         "An accepted bearer key; repeatable: each key is an account with quotas of its own. Without it every key "
         "is accepted, for one account")
      ->allow_extra_args(false);
  auto* cert =
      app.add_option("--tls-cert", options.tls_cert, "Certificate chain (PEM): serve https")->check(CLI::ExistingFile);
  auto* key = app.add_option("--tls-key", options.tls_key, "Its private key (PEM)")->check(CLI::ExistingFile);
  cert->needs(key);
  key->needs(cert);
  app.add_flag("--quiet", options.quiet, "No line per request on stderr");
}

}  // namespace cooldown::sim
