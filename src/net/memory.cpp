#include "cooldown/net/memory.hpp"

#include <cstdlib>
#include <new>
#include <thread>
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
// What must not stop halfway takes some KB at once, but for a step of the limiter that releases hundreds.
constexpr std::size_t last_reserve_size = 1024 * 1024;
void* reserve = nullptr;
void* last = nullptr;
unsigned entitled = 0;  // to the last one
bool is_kept = false;
std::thread::id owner;  // other threads have none

// Milliseconds: mi_option_decommit_delay of mimalloc 2.0, mi_option_purge_delay since 2.1.
constexpr int mi_delay = 15;
// With 300 KB bodies one by one, giving back at once costs twice the CPU; while so much is held, few come one by one.
constexpr std::size_t much = 32 * 1024 * 1024;
constexpr std::size_t little = 8 * 1024 * 1024;
bool at_once = false;

void give_up_reserve() {
  auto& next = reserve || entitled == 0 ? reserve : last;
  if (std::this_thread::get_id() != owner || !next) throw std::bad_alloc();
  std::free(std::exchange(next, nullptr));
}

void make_up(void*& one, std::size_t size) {
  if (is_kept && !one) one = std::malloc(size);
}

}  // namespace

void keep_memory_reserve() {
  is_kept = true;
  owner = std::this_thread::get_id();
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

bool restore_memory_reserve() {
  make_up(last, last_reserve_size);
  make_up(reserve, reserve_size);
  return !is_kept || (reserve && last);
}

last_reserve::last_reserve() {
  ++entitled;
}

last_reserve::~last_reserve() {
  if (--entitled == 0) make_up(last, last_reserve_size);
}

}  // namespace cooldown::net
