// Lets allocations fail. For executables that failing_new.cpp is linked to.
#pragma once

#include <atomic>
#include <cstddef>

namespace cooldown::testing {

/// Asked at each allocation by `new`: true lets it fail. Null: none fails.
inline std::atomic<bool (*)(std::size_t)> memory_is_short{nullptr};

}  // namespace cooldown::testing
