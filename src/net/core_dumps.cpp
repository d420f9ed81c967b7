#include "cooldown/net/core_dumps.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace cooldown::net {
namespace {

// A leak checker reads its own process from outside.
#ifdef __SANITIZE_ADDRESS__
constexpr bool leaks_are_looked_for = true;
#else
constexpr bool leaks_are_looked_for = false;
#endif

rlimit before{RLIM_INFINITY, RLIM_INFINITY};

}  // namespace

void forbid_core_dumps() {
  getrlimit(RLIMIT_CORE, &before);
  rlimit const none{0, before.rlim_max};  // the hard limit stays, for allow_core_dumps()
  setrlimit(RLIMIT_CORE, &none);
  if (!leaks_are_looked_for) prctl(PR_SET_DUMPABLE, 0);
}

void allow_core_dumps() {
  setrlimit(RLIMIT_CORE, &before);
  prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace cooldown::net
