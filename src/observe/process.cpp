#include "cooldown/observe/process.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>

#include <unistd.h>

namespace cooldown::observe {
namespace {

const auto start = std::chrono::system_clock::now();

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

process_figures process_figures::now() {
  process_figures f;
  f.started = std::chrono::duration<double>(start.time_since_epoch()).count();
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) == 0) f.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  // proc_pid_statm(5): sizes in pages
  double pages = 0;
  double resident = 0;
  if (std::ifstream("/proc/self/statm") >> pages >> resident) {
    auto const page = static_cast<double>(sysconf(_SC_PAGESIZE));
    f.virtual_bytes = pages * page;
    f.resident_bytes = resident * page;
  }
  std::error_code ec;
  double open = -1;  // the directory's own
  for (std::filesystem::directory_iterator i("/proc/self/fd", ec), end; !ec && i != end; i.increment(ec)) ++open;
  if (!ec) f.open_descriptors = open;
  rlimit most{};
  if (getrlimit(RLIMIT_NOFILE, &most) == 0) f.most_descriptors = static_cast<double>(most.rlim_cur);
  return f;
}

}  // namespace cooldown::observe
