// When there is no memory left.
#pragma once

namespace cooldown::net {

/// From now on a reserve is kept, and given up at the first allocation that fails. A large one throws std::bad_alloc
/// all the same, but the small ones of an orderly end succeed.
void keep_memory_reserve();

/// Asks the allocator to return to the system what it keeps and does not need; it returns some of it. Takes some
/// milliseconds.
void give_memory_back();

/// Makes up the reserve again, if it was given up and there is memory for it.
void restore_memory_reserve();

}  // namespace cooldown::net
