// YAML text as a small tree with the position of every node. The only part that uses yaml-cpp, through its events: its
// own nodes drop duplicate keys, follow aliases in circles and forget positions.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cooldown::config {

struct place {
  int line = 0;  // 1-based; 0: unknown
  int column = 0;
};

struct yaml_entry;

struct yaml_node {
  enum class kind { null, scalar, list, map };
  kind type = kind::null;
  place at;
  std::string text;                 // of a scalar
  std::string refusal;              // why this value is rejected: it is an alias, or has an anchor or a foreign tag
  std::vector<yaml_entry> entries;  // of a map, duplicates included
  std::vector<yaml_node> items;     // of a list
};

struct yaml_entry {
  yaml_node key;
  yaml_node value;
};

struct yaml_error {
  place at;
  std::string message;  // never any text of the document
};

/// The one document in `text` (a null node for none). Bounded in depth and in number of values.
std::variant<yaml_node, yaml_error> read_yaml(std::string_view text);

}  // namespace cooldown::config
