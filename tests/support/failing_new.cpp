#include "support/failing_new.hpp"

#include <cstdlib>
#include <new>

// In the place of the library's, and of a sanitizer's.

void* operator new(std::size_t size, const std::nothrow_t& /*unused*/) noexcept {
  auto* const is_short = cooldown::testing::memory_is_short.load();
  return is_short && is_short(size) ? nullptr : std::malloc(size > 0 ? size : 1);
}
void* operator new[](std::size_t size, const std::nothrow_t& how) noexcept {
  return operator new(size, how);
}
void* operator new(std::size_t size) {
  for (;;) {
    if (auto* const p = operator new(size, std::nothrow)) return p;
    auto* const handler = std::get_new_handler();
    if (!handler) throw std::bad_alloc();
    handler();
  }
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, const std::nothrow_t& /*unused*/) noexcept {
  std::free(p);
}
void operator delete[](void* p, const std::nothrow_t& /*unused*/) noexcept {
  std::free(p);
}
