#include "cooldown/sim/simulation.hpp"

#include <algorithm>
#include <utility>

#include <boost/json.hpp>

namespace cooldown::sim {
namespace {

namespace json = boost::json;

sim_options with_wall_clock(sim_options options) {
  options.provider.rules.wall_at_epoch = std::chrono::system_clock::now().time_since_epoch();
  return options;
}

std::string_view refill_name(refill_rule rule) {
  return std::ranges::find(refill_names, rule, [](const auto& each) { return each.second; })->first;
}

std::string budget_name(resource what, window per) {
  return name(what) + "-" + name_of(per);
}

json::object limits_object(const model_limits& limits) {
  return {{"rps", limits.rps}, {"rpm", limits.rpm}, {"rph", limits.rph}, {"rpd", limits.rpd},
          {"tpm", limits.tpm}, {"tph", limits.tph}, {"tpd", limits.tpd}, {"total", limits.total_factor}};
}

json::object refusals_object(const quota_counters& counters, std::uint64_t& sum) {
  json::object out;
  for (const auto& [id, count] : counters.refusals) {
    sum += count;
    out[budget_name(id.counts, id.over)] = count;
  }
  return out;
}

json::object levels_object(const std::vector<quota_reading>& readings) {
  json::object out;
  for (const auto& each : readings) {
    out[budget_name(each.what, each.per)] =
        json::object{{"limit", each.limit},
                     {"remaining", each.remaining},
                     {"reset", static_cast<double>(each.reset_after.count()) / 1e9}};
  }
  return out;
}

}  // namespace

simulation::simulation(sim_options options)
    : options_(with_wall_clock(std::move(options))),
      start_(std::chrono::steady_clock::now()),
      provider_(options_.provider, options_.models, options_.any_model, options_.run, options_.seed),
      random_(options_.seed) {}

double simulation::unix_time(nanoseconds t) const {
  return static_cast<double>((options_.provider.rules.wall_at_epoch + t).count()) / 1e9;
}

fault_plan simulation::draw(std::string_view header) {
  return draw_faults(options_.faults, header, random_);
}

nanoseconds simulation::advance() {
  const auto time = now();
  provider_.advance(time);
  return time;
}

std::variant<grant, provider_refusal> simulation::arrive(model_quota& quota, const request_facts& facts) {
  const auto time = advance();
  return provider_.arrive(quota, facts, provider_.draw_bad(), time);
}

std::string simulation::next_id() {
  return "chatcmpl-" + std::to_string(++ids_);
}

std::string simulation::stats() {
  const auto time = advance();
  json::object models;
  for (auto& [name, quota] : quotas().models()) {
    const auto& counters = quota.counters();
    std::uint64_t refusals = 0;
    auto by_budget = refusals_object(counters, refusals);
    json::object model{{"limits", limits_object(quota.limits())},
                       {"admissions", counters.admissions},
                       {"in_flight", counters.in_flight},
                       {"refusals", refusals},
                       {"refusals_by_budget", std::move(by_budget)},
                       {"refusals_load", counters.load_refusals},
                       {"tokens_reserved", counters.tokens_reserved},
                       {"tokens_used", counters.tokens_used},
                       {"input_tokens", counters.input_tokens},
                       {"output_tokens", counters.output_tokens},
                       {"level", levels_object(quota.readings(time))}};
    model["first_admission"] = nullptr;
    model["last_admission"] = nullptr;
    if (counters.first_admission) model["first_admission"] = unix_time(*counters.first_admission);
    if (counters.last_admission) model["last_admission"] = unix_time(*counters.last_admission);
    models[name] = std::move(model);
  }
  const json::object out{{"now", unix_time(time)},
                         {"uptime", static_cast<double>(time.count()) / 1e9},
                         {"connections_accepted", traffic_.connections_accepted},
                         {"connections_open", traffic_.connections_open},
                         {"requests_total", traffic_.requests_total},
                         {"in_flight", traffic_.in_flight},
                         {"aborted", traffic_.aborted},
                         {"faults", traffic_.faults},
                         {"refill", refill_name(options_.provider.rules.refill)},
                         {"models", std::move(models)}};
  return json::serialize(out);
}

bool simulation::set_limits(std::string_view body, std::string& answer) {
  json::error_code failure;
  const auto parsed = json::parse(body, failure);
  const auto* object = failure ? nullptr : parsed.if_object();
  const auto* model = object == nullptr ? nullptr : object->if_contains("model");
  const auto* model_name = model == nullptr ? nullptr : model->if_string();
  if (model_name == nullptr) {
    answer = R"(expected {"model": NAME, "tpm": N, ...})";
    return false;
  }
  auto* quota = quotas().find({model_name->data(), model_name->size()});
  if (quota == nullptr) {
    answer = "no such model";
    return false;
  }
  auto limits = quota->limits();
  for (const auto& [key, value] : *object) {
    if (key == "model") continue;
    const bool is_number = value.is_number();
    const double number = is_number ? value.to_number<double>(failure) : -1;
    auto* limit = find_limit(limits, {key.data(), key.size()});
    if (!is_number || number < 0 || number > 1e12 || (limit == nullptr && key != "total")) {
      answer = "'" + std::string(key) + "' is not a limit, or its value not a number from 0 to 1e12";
      return false;
    }
    if (limit != nullptr) {
      *limit = static_cast<std::int64_t>(number);
    } else {
      limits.total_factor = std::min(number, 1e6);
    }
  }
  quota->set_limits(limits, advance());
  answer = json::serialize(limits_object(limits));
  return true;
}

void simulation::reset() {
  quotas().reset(advance());
  // What is open stays open: these two are levels, not counts.
  traffic_ = {0, traffic_.connections_open, 0, traffic_.in_flight, 0, 0};
}

}  // namespace cooldown::sim
