#include <algorithm>

#include "cooldown/config/load.hpp"
#include "cooldown/text/ascii.hpp"

#include "yaml_tree.hpp"

namespace cooldown::config {
namespace {

/// `name`: of an entry of the map; with "[1]" behind it, of an item of the list there.
const yaml_node* value_of(const yaml_node& map, std::string_view name) {
  auto const bracket = std::min(name.find('['), name.size());
  auto const found = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const yaml_entry& e) { return e.key.text == name.substr(0, bracket); });
  if (found == map.entries.end()) return nullptr;
  if (bracket == name.size()) return &found->value;
  auto const index = parse_u64(name.substr(bracket + 1, name.size() - bracket - 2));
  return index && *index < found->value.items.size() ? &found->value.items[*index] : nullptr;
}

}  // namespace

std::string place_of(std::string_view key, std::string_view yaml) {
  auto const tree = read_yaml(yaml);
  auto const* node = std::get_if<yaml_node>(&tree);
  while (node && !key.empty()) {
    auto const dot = std::min(key.find('.'), key.size());
    node = value_of(*node, key.substr(0, dot));
    key.remove_prefix(std::min(dot + 1, key.size()));
  }
  return node ? ':' + std::to_string(node->at.line) + ':' + std::to_string(node->at.column) : "";
}

}  // namespace cooldown::config
