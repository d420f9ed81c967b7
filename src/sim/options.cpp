#include "cooldown/sim/options.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <CLI/CLI.hpp>
#include <sysexits.h>

#include "option_list.hpp"

namespace cooldown::sim {
namespace {

constexpr double default_total_factor = 3;
constexpr auto usual_model = "gpt-oss-120b";

bool is_unlimited(model_limits limits) {
  return std::all_of(std::begin(limit_names), std::end(limit_names),
                     [&](auto name) { return *find_limit(limits, name) == 0; });
}

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

// Those of the command line; with a file, what they leave open is as the file says.
void read_models(const words& said, sim_options& options) {
  std::string error;
  for (const auto& text : said.models) {
    auto model = parse_model_spec(text, error);
    if (!model) throw CLI::ValidationError("--model", error);
    options.models.push_back(std::move(*model));
  }
  if (said.provider_file.empty() && said.dialect.empty()) return;
  for (auto& model : options.models) {
    if (is_unlimited(model.limits)) model.limits = options.provider.limits;
  }
  if (options.models.empty()) options.models = {{usual_model, options.provider.limits}};
  for (int i = static_cast<int>(options.models.size()); i < options.provider.models; ++i)
    options.models.push_back({"model-" + std::to_string(i + 1), options.provider.limits});
}

void finish_models(const words& said, sim_options& options) {
  if (options.models.empty()) {
    model_limits free_tier;
    free_tier.rpm = 30;
    free_tier.tpm = 60000;
    free_tier.rph = 900;
    free_tier.rpd = 14400;
    options.models = {{usual_model, free_tier}, {"llama3.1-8b", free_tier}};
  }
  for (auto& model : options.models) {
    if (model.limits.rps == 0) model.limits.rps = options.rps;
    // A file says itself whether there are two buckets.
    const bool needs_total = said.provider_file.empty() && options.provider.headers == header_style::two_buckets;
    if (needs_total && model.limits.total_factor == 0) model.limits.total_factor = default_total_factor;
  }
}

void finish_refusals(const words& said, provider_settings& provider) {
  if (said.retry_after) provider.retry_after = std::to_string(*said.retry_after);
  if (!said.refusal) return;
  provider.refusals = *said.refusal;
  if (*said.refusal != refusal_style::telling) return;
  provider.retry_after.reset();
  const bool has_its_own = provider.headers == header_style::resets || provider.headers == header_style::none;
  provider.refusal_headers = has_its_own ? provider.headers : header_style::all_resets;
}

void finish(const words& said, sim_options& options) {
  if (!parse_listen(said.listen, options)) {
    throw CLI::ValidationError("--listen", "'" + said.listen + "' is not HOST:PORT");
  }
  std::string error;
  for (const auto& text : said.faults) {
    const auto parsed = parse_fault(text, error);
    if (!parsed) throw CLI::ValidationError("--fault", error);
    options.faults.push_back(*parsed);
  }
  read_models(said, options);
  finish_models(said, options);
  finish_refusals(said, options.provider);
  options.ttft = std::chrono::milliseconds{said.ttft};
  if (said.chars_per_token) options.provider.tokens_per_char = 1 / *said.chars_per_token;
  if (said.headers_until) {
    options.provider.headers_until = std::chrono::milliseconds{static_cast<std::int64_t>(*said.headers_until * 1000)};
  }
}

}  // namespace

std::optional<int> parse_command_line(int argc, const char* const* argv, sim_options& options) {
  CLI::App app{"cerebras-sim: a local stand-in for the Cerebras inference API, its limits included."};
  app.set_version_flag("--version", "cerebras-sim " COOLDOWN_VERSION);
  words said;
  add_provider(app, options, said);
  add_answers(app, options, said);
  add_server(app, options, said);
  try {
    app.parse(argc, argv);
    finish(said, options);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : EX_USAGE;
  }
  return std::nullopt;
}

}  // namespace cooldown::sim
