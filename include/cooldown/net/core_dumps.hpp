// Keys are kept only in memory; a core dump would write them to disk.
#pragma once

namespace cooldown::net {

/// From now on a crash leaves no core dump, and nobody without privileges can read this process's memory.
void forbid_core_dumps();

/// Restores the state before forbid_core_dumps().
void allow_core_dumps();

}  // namespace cooldown::net
