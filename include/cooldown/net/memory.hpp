// When there is no memory left.
#pragma once

#include <cstddef>

namespace cooldown::net {

/// From now on a reserve is kept, and given up at the first allocation that fails. A large one throws std::bad_alloc
/// all the same, but the small ones of an orderly end succeed.
void keep_memory_reserve();

/// Asks the allocator to return to the system what it keeps and does not need; it returns some of it. Takes some
/// milliseconds.
void give_memory_back();

/// How many bytes of requests are held. While that is much, what is freed goes back to the system at once: otherwise
/// mimalloc looks again, after a delay, when something else near it is freed, and after a flood nothing is.
void note_memory_held(std::size_t bytes);

/// Makes up the reserve again, if it was given up and there is memory for it.
void restore_memory_reserve();

}  // namespace cooldown::net
