#include "cooldown/net/memory.hpp"

#include <cstdlib>
#include <new>
#include <utility>

#include <malloc.h>

// Of mimalloc, if that is linked: returns what is free (`force`: from the caches as well).
extern "C" void mi_collect(bool force) __attribute__((weak));
extern "C" long mi_option_get(int option) __attribute__((weak));
extern "C" void mi_option_set(int option, long value) __attribute__((weak));

namespace cooldown::net {
namespace {

// For the frames, log lines and answers of some hundred requests that end.
constexpr std::size_t reserve_size = 2 * 1024 * 1024;
void* reserve = nullptr;

// Milliseconds: mi_option_decommit_delay of mimalloc 2.0, mi_option_purge_delay since 2.1.
constexpr int mi_delay = 15;
// With 300 KB bodies one by one, giving back at once costs twice the CPU; while so much is held, few come one by one.
constexpr std::size_t much = 32 * 1024 * 1024;
constexpr std::size_t little = 8 * 1024 * 1024;
bool at_once = false;

void give_up_reserve() {
  if (!reserve) throw std::bad_alloc();
  std::free(std::exchange(reserve, nullptr));
}

}  // namespace

void keep_memory_reserve() {
  restore_memory_reserve();
  std::set_new_handler(give_up_reserve);
}

void give_memory_back() {
  if (mi_collect) {
    mi_collect(true);
  } else {
    ::malloc_trim(0);
  }
}

void note_memory_held(std::size_t bytes) {
  if (!mi_option_get || !mi_option_set || at_once == (bytes >= (at_once ? little : much))) return;
  static auto const usual = mi_option_get(mi_delay);
  at_once = !at_once;
  mi_option_set(mi_delay, at_once ? 0 : usual);
}

void restore_memory_reserve() {
  if (!reserve) reserve = std::malloc(reserve_size);
}

}  // namespace cooldown::net
