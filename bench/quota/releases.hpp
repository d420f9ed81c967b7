// Who was released when and where, to find requests that left the first upstream for nothing.
#pragma once

#include <algorithm>
#include <vector>

#include "quota/call.hpp"

namespace cooldown::bench {

class releases {
 public:
  void add(const call& c, std::size_t upstream) {
    auto& to = upstream == 0 ? first_ : others_;
    to.push_back({c.serial, c.model, c.group->urgency, c.sent, c.facts.input_tokens + c.facts.max_output.value_or(0)});
  }

  /// Requests that were released elsewhere, though a younger one that was not smaller was released sooner at the first
  /// upstream: so would they have been.
  std::uint64_t sooner_at_first() const {
    return static_cast<std::uint64_t>(std::count_if(others_.begin(), others_.end(), [this](const release& spilled) {
      return std::any_of(first_.begin(), first_.end(), [&](const release& r) {
        return r.serial > spilled.serial && r.sent < spilled.sent && r.reserved >= spilled.reserved &&
               r.model == spilled.model && r.urgency >= spilled.urgency;
      });
    }));
  }

 private:
  struct release {
    std::uint64_t serial;
    int model;
    std::uint8_t urgency;
    time_point sent;
    std::int64_t reserved;  // tokens
  };
  std::vector<release> first_;
  std::vector<release> others_;
};

}  // namespace cooldown::bench
