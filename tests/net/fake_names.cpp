#include "fake_names.hpp"

#include <cerrno>

#include <dlfcn.h>
#include <netdb.h>

namespace cooldown::testing {

fake_names names;

void fake_names::set(bool open) {
  std::lock_guard const lock(mutex_);
  open_ = open;
  changed_.notify_all();
}

fake_names::visit::visit() {
  std::unique_lock lock(names.mutex_);
  ++names.inside_;
  ++names.asked;
  names.changed_.wait(lock, [] { return names.open_; });
}

fake_names::visit::~visit() {
  std::lock_guard const lock(names.mutex_);
  --names.inside_;
  names.changed_.notify_all();
}

void fake_names::reset() {
  open_door();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return inside_ == 0; });
  addresses.clear();
  asked = 0;
  fails_with = 0;
}

}  // namespace cooldown::testing

extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** out) {
  using cooldown::testing::names;
  using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static auto const real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!host || std::string(host) != "provider.test") return real(host, service, hints, out);
  cooldown::testing::fake_names::visit const here;
  if (int const code = names.fails_with; code != 0) {
    errno = EMFILE;
    return code;
  }
  if (names.addresses.empty()) return EAI_NONAME;
  addrinfo** end = out;
  for (auto const& a : names.addresses) {
    if (auto const failed = real(a.c_str(), service, hints, end)) return failed;
    while (*end) end = &(*end)->ai_next;
  }
  return 0;
}
