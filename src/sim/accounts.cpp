#include "cooldown/sim/accounts.hpp"

namespace cooldown::sim {

accounts::accounts(const sim_options& options) {
  for (const auto& key : options.api_keys) all_.emplace_back("Bearer " + key, options);
  if (all_.empty()) all_.emplace_back("", options);
}

simulation* accounts::find(std::string_view authorization) {
  for (auto& [accepted, account] : all_)
    if (accepted.empty() || accepted == authorization) return &account;
  return nullptr;
}

}  // namespace cooldown::sim
