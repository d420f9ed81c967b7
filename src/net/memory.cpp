#include "cooldown/net/memory.hpp"

#include <cstdlib>
#include <new>
#include <utility>

#include <malloc.h>

// Of mimalloc, if that is linked: returns what is free (`force`: from the caches as well).
extern "C" void mi_collect(bool force) __attribute__((weak));

namespace cooldown::net {
namespace {

// For the frames, log lines and answers of some hundred requests that end.
constexpr std::size_t reserve_size = 2 * 1024 * 1024;
void* reserve = nullptr;

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

void restore_memory_reserve() {
  if (!reserve) reserve = std::malloc(reserve_size);
}

}  // namespace cooldown::net
