// Resources of this process, as reported by the kernel.
#pragma once

#include <optional>

namespace cooldown::observe {

/// nullopt: could not be read.
struct process_figures {
  std::optional<double> cpu_seconds;  // user and system
  std::optional<double> resident_bytes;
  std::optional<double> virtual_bytes;
  std::optional<double> open_descriptors;
  std::optional<double> most_descriptors;
  std::optional<double> started;  // seconds since 1970

  static process_figures now();
};

}  // namespace cooldown::observe
