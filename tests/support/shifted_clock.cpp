// To be preloaded: clocks that a test moves. SHIFTED_CLOCK names a file of two 64-bit numbers, the nanoseconds by which
// CLOCK_BOOTTIME and CLOCK_REALTIME are ahead. CLOCK_MONOTONIC stays, as it does while a machine is suspended.
#include <cstdint>
#include <cstdlib>
#include <ctime>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <unistd.h>

namespace {

const volatile std::int64_t* shifts_of_test() {
  auto const* const path = std::getenv("SHIFTED_CLOCK");
  int const fd = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return nullptr;
  auto* const at = ::mmap(nullptr, 2 * sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return at == MAP_FAILED ? nullptr : static_cast<const std::int64_t*>(at);
}

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* t) noexcept {
  static auto const* const shifts = shifts_of_test();
  auto const failed = ::syscall(SYS_clock_gettime, id, t);
  if (failed || !shifts || (id != CLOCK_BOOTTIME && id != CLOCK_REALTIME)) return static_cast<int>(failed);
  constexpr std::int64_t second = 1'000'000'000;
  auto const ns = t->tv_sec * second + t->tv_nsec + shifts[id == CLOCK_REALTIME ? 1 : 0];
  t->tv_sec = ns / second;
  t->tv_nsec = ns % second;
  return 0;
}
