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
  auto* const p = operator new(size, std::nothrow);
  if (!p) throw std::bad_alloc();
  return p;
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
