#include "cooldown/sim/admission.hpp"

namespace cooldown::sim {
namespace {

// Names come from clients: a bound on what they can make us remember.
constexpr std::size_t max_models = 1000;

}  // namespace

admission::admission(const std::vector<model_spec>& models, const quota_rules& rules, bool any_model)
    : rules_(rules), unlisted_(models.front().limits), any_model_(any_model) {
  for (const auto& model : models) models_.try_emplace(model.name, model.limits, rules);
  first_ = find(models.front().name);
}

model_quota* admission::find(std::string_view model) {
  const auto found = models_.find(model);
  if (found != models_.end()) return &found->second;
  if (!any_model_ || model.empty() || models_.size() >= max_models) return nullptr;
  return &models_.try_emplace(std::string(model), unlisted_, rules_).first->second;
}

void admission::reset(nanoseconds now) {
  for (auto& [name, quota] : models_) quota.reset(now);
}

}  // namespace cooldown::sim
