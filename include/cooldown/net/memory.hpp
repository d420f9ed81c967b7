// Survives running out of memory, and returns memory to the system.
#pragma once

#include <cstddef>
#include <new>

namespace cooldown::net {

/// Keeps a reserve from now on, which is freed at the first allocation that fails. A large allocation still throws
/// std::bad_alloc, but the small ones needed to end its request succeed.
void keep_memory_reserve();

/// Asks the allocator to return unused memory to the system; it returns some of it. Takes some milliseconds.
void give_memory_back();

/// Tells how many bytes requests hold. While that is much, freed memory goes back to the system at once: otherwise
/// mimalloc returns it after a delay, when memory nearby is freed, and after a flood that does not happen.
void note_memory_held(std::size_t bytes);

/// Restores the reserve if it was freed. False: there is no memory for it, so nothing new should begin.
bool restore_memory_reserve();

/// While one exists, allocations may use a last reserve. It is for what must not stop halfway: a step of the limiter, a
/// timer that is set again, and destructors, which cannot fail. To be used within one function that awaits nothing.
class last_reserve {
 public:
  last_reserve();
  ~last_reserve();
  last_reserve(const last_reserve&) = delete;
  last_reserve& operator=(const last_reserve&) = delete;
};

/// Within its scope, what can be left undone fails at once without memory, and takes nothing from the reserves.
class without_reserve {
 public:
  without_reserve() : before_(std::set_new_handler(nullptr)) {}
  ~without_reserve() { std::set_new_handler(before_); }
  without_reserve(const without_reserve&) = delete;
  without_reserve& operator=(const without_reserve&) = delete;

 private:
  std::new_handler before_;
};

}  // namespace cooldown::net
