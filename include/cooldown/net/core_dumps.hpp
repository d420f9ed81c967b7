// Keys are in memory only: a core dump would put them on disk.
#pragma once

namespace cooldown::net {

/// From now on a crash leaves no core dump, and nobody without privileges can read this process's memory.
void forbid_core_dumps();

/// As it was before forbid_core_dumps().
void allow_core_dumps();

}  // namespace cooldown::net
