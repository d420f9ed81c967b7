// The names of clients and keys on the page, in /status and in metrics. Elsewhere they are identified by hashes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

namespace cooldown::observe {

class names {
 public:
  /// With more names, the oldest is forgotten until it is seen again.
  static constexpr std::size_t most = 4096;

  /// Calls `name()` once for each `id`, and once more after renew().
  template <class F>
  void see(std::uint64_t id, F name) {
    auto& known = names_[id];
    if (known.generation == generation_) return;
    if (known.generation == 0) order_.push_back(id);
    known = {name(), generation_};
    if (order_.size() <= most) return;
    names_.erase(order_.front());
    order_.pop_front();
  }

  /// The naming rules have changed.
  void renew() { ++generation_; }

  /// Unknown or forgotten ids get a number.
  std::string of(std::uint64_t id) const;

 private:
  struct entry {
    std::string name;
    std::uint64_t generation = 0;  // 0: none yet
  };
  std::unordered_map<std::uint64_t, entry> names_;
  std::deque<std::uint64_t> order_;  // in order of arrival
  std::uint64_t generation_ = 1;
};

/// Six digits of a hash, by which /status and the admin port distinguish scopes of the same model.
constexpr std::uint64_t shown(std::uint64_t hash) {
  return hash % 1'000'000;
}

inline std::string names::of(std::uint64_t id) const {
  auto const found = names_.find(id);
  return found == names_.end() ? std::to_string(shown(id)) : found->second.name;
}

}  // namespace cooldown::observe
