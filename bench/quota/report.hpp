// The table, and the same as CSV and JSON.
#pragma once

#include <cstdio>
#include <string>

#include "quota/outcome.hpp"

namespace cooldown::bench {

/// One row: a workload with one scheduler.
struct result_row {
  std::string workload;
  std::string scheduler;
  figures mean;   // over the seeds
  figures worst;  // the worst of the seeds
};

/// A Markdown table that is also aligned as plain text.
class table {
 public:
  explicit table(std::FILE* out) : out_(out) {}
  void head() const;
  /// `with_worst`: prints the worst seeds in a second line.
  void row(const result_row& r, bool with_worst) const;

 private:
  void line(const std::string& workload, const std::string& scheduler, const figures& f) const;
  std::FILE* out_;
};

/// One JSON object per line; figures that do not apply are null. `with_worst`: includes the worst of the seeds.
void print_json(std::FILE* out, const result_row& r, bool with_worst);

/// Figures that do not apply are empty.
class csv {
 public:
  explicit csv(std::FILE* out) : out_(out) {}
  void head() const;
  void row(const result_row& r) const;

 private:
  std::FILE* out_;
};

}  // namespace cooldown::bench
