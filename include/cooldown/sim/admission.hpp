// An account: the quotas of its models by name. Pure, like the quotas (model_quota.hpp).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/sim/model_quota.hpp"

namespace cooldown::sim {

class admission {
 public:
  // There is at least one model. With `any_model`, a model that is not listed gets its own quota, with the limits of
  // the first.
  admission(const std::vector<model_spec>& models, const quota_rules& rules, bool any_model = false);

  // The quota of `model`, or nullptr if there is no such model. The pointer stays valid.
  model_quota* find(std::string_view model);

  // The model that was listed first.
  model_quota& first() { return *first_; }

  // All quotas, ordered by model name.
  std::map<std::string, model_quota, std::less<>>& models() { return models_; }

  void reset(nanoseconds now);

 private:
  std::map<std::string, model_quota, std::less<>> models_;
  quota_rules rules_;
  model_limits unlisted_;
  bool any_model_;
  model_quota* first_;
};

}  // namespace cooldown::sim
