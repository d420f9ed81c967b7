// Compares a map of the file with a table of keys: reads what is known, and reports the rest.
#pragma once

#include <string>

#include "keys.hpp"
#include "value_reader.hpp"

namespace cooldown::config {

/// A map of the file that has the keys of a table.
struct keyed_map {
  const key_table& table;
  settings& into;             // what the keys set
  std::string shown_in = {};  // its own path, "upstreams[0]"; empty: the document
};

/// False if it is not a map. An empty one has only defaults. What it has is noted in `values`.
bool read_keys(const keyed_map& map, const yaml_node& node, value_reader& values);

}  // namespace cooldown::config
