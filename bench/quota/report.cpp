#include "quota/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "quota/describe.hpp"

namespace cooldown::bench {
namespace {

constexpr int workload_width = 56;
constexpr int scheduler_width = 11;

int width_of(figure f) {
  return std::max(8, static_cast<int>(std::strlen(text_of(f).title)));
}

template <class Do>
void for_each_figure(Do what) {
  for (std::size_t i = 0; i < figure_count; ++i) what(static_cast<figure>(i));
}

/// Those of the table and of CSV files.
template <class Do>
void for_each_column(Do what) {
  for_each_figure([&](figure f) {
    if (text_of(f).title != nullptr) what(f);
  });
}

std::string json_members(const figures& f) {
  std::string result;
  for_each_figure([&](figure each) {
    char number[32] = "null";
    if (!std::isnan(f[each])) std::snprintf(number, sizeof number, "%.6g", f[each]);
    result.append(result.empty() ? "" : ", ").append(quoted(text_of(each).key)).append(": ").append(number);
  });
  return result;
}

}  // namespace

void print_json(std::FILE* out, const result_row& r, bool with_worst) {
  auto line = "{\"name\": " + quoted(r.workload) + ", " + json_members(r.mean);
  if (with_worst) line += ", \"worst\": {" + json_members(r.worst) + "}";
  std::fprintf(out, "%s}\n", line.c_str());
  std::fflush(out);
}

void table::head() const {
  std::fprintf(out_, "| %-*s | %-*s |", workload_width, "workload", scheduler_width, "scheduler");
  for_each_column([&](figure f) { std::fprintf(out_, " %*s |", width_of(f), text_of(f).title); });
  std::fprintf(out_, "\n|%s|%s|", std::string(workload_width + 2, '-').c_str(),
               std::string(scheduler_width + 2, '-').c_str());
  for_each_column([&](figure f) {
    std::fprintf(out_, "%s:|", std::string(static_cast<std::size_t>(width_of(f)) + 1, '-').c_str());
  });
  std::fprintf(out_, "\n");
}

void table::line(const std::string& workload, const std::string& scheduler, const figures& f) const {
  std::fprintf(out_, "| %-*s | %-*s |", workload_width, workload.c_str(), scheduler_width, scheduler.c_str());
  for_each_column([&](figure each) {
    if (std::isnan(f[each])) {
      std::fprintf(out_, " %*s |", width_of(each), "-");
    } else {
      std::fprintf(out_, " %*.*f |", width_of(each), text_of(each).decimals, f[each]);
    }
  });
  std::fprintf(out_, "\n");
  std::fflush(out_);
}

void table::row(const result_row& r, bool with_worst) const {
  line(r.workload, r.scheduler, r.mean);
  if (with_worst) line("", r.scheduler + " worst", r.worst);
}

void csv::head() const {
  std::fprintf(out_, "workload,scheduler");
  for_each_column([&](figure f) { std::fprintf(out_, ",%s", text_of(f).field); });
  for_each_column([&](figure f) { std::fprintf(out_, ",worst_%s", text_of(f).field); });
  std::fprintf(out_, "\n");
}

void csv::row(const result_row& r) const {
  std::fprintf(out_, "\"%s\",%s", r.workload.c_str(), r.scheduler.c_str());
  for (auto const* const values : {&r.mean, &r.worst}) {
    for_each_column([&](figure f) {
      auto const value = (*values)[f];
      if (std::isnan(value)) {
        std::fprintf(out_, ",");
      } else {
        std::fprintf(out_, ",%.6g", value);
      }
    });
  }
  std::fprintf(out_, "\n");
}

}  // namespace cooldown::bench
