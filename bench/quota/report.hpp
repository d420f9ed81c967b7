// The table, and the same for programs.
#pragma once

#include <cstdio>
#include <string>

#include "quota/outcome.hpp"

namespace cooldown::bench {

/// One line: a workload under one contestant.
struct result_row {
  std::string workload;
  std::string scheduler;
  figures mean;   // over the seeds
  figures worst;  // of them
};

/// A Markdown table whose columns align as plain text as well.
class table {
 public:
  explicit table(std::FILE* out) : out_(out) {}
  void head() const;
  /// `with_worst`: in a second line.
  void row(const result_row& r, bool with_worst) const;

 private:
  void line(const std::string& workload, const std::string& scheduler, const figures& f) const;
  std::FILE* out_;
};

/// One JSON object a line; numbers that do not apply are null. `with_worst`: the worst of the seeds as well.
void print_json(std::FILE* out, const result_row& r, bool with_worst);

/// Numbers that do not apply are empty.
class csv {
 public:
  explicit csv(std::FILE* out) : out_(out) {}
  void head() const;
  void row(const result_row& r) const;

 private:
  std::FILE* out_;
};

}  // namespace cooldown::bench
