#include "section.hpp"

#include <map>
#include <vector>

#include "suggest.hpp"

namespace cooldown::config {
namespace {

/// "port:8080" is a single value, not a key with a value.
std::string hint_for(const yaml_node& node) {
  auto const colon = node.text.find(':');
  if (node.type != yaml_node::kind::scalar || colon == std::string::npos || colon + 1 == node.text.size() ||
      node.text.compare(colon, 3, "://") == 0)
    return "";
  auto const name = node.text.substr(0, colon);
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) return "";
  return "; a space is missing after '" + name + ":'";
}

/// Suggests what an unknown key may have been meant to be.
std::string advice(const key_table& table, const std::string& section, std::string_view name) {
  if (name.find('.') != std::string_view::npos) return "write one map in another instead of dots";
  auto const here = table.children(section);
  if (auto const meant = nearest(name, here); !meant.empty()) return "did you mean '" + meant + "'?";
  if (table.find(name) != nullptr) return "it does not belong in '" + section + "', but beside it";
  std::vector<std::string> elsewhere;
  for (auto const& k : table.all()) {
    auto const dot = k.path.rfind('.');
    if (k.path.substr(dot + 1) == name) elsewhere.push_back("'" + k.path.substr(0, dot) + "'");
  }
  if (!elsewhere.empty()) return "it belongs in " + joined(elsewhere, " or ");
  return "known here: " + joined(here, ", ");
}

std::string below(const std::string& section, const std::string& name) {
  if (section.empty() || name.empty()) return section + name;
  return section + '.' + name;
}

class map_reader {
 public:
  map_reader(const keyed_map& map, value_reader& values) : map_(map), values_(values) {}

  /// `path` is that of the section in the table.
  bool read_section(const std::string& path, const yaml_node& node) {
    if (!node.refusal.empty()) {
      values_.complain(node.at, shown(path), node.refusal);
      return false;
    }
    if (node.type == yaml_node::kind::null) return true;
    if (node.type != yaml_node::kind::map) {
      values_.complain(node.at, shown(path),
                       "expected a map (" + joined(map_.table.children(path), ", ") + "), found " +
                           std::string(kind_name(node.type)) + hint_for(node));
      return false;
    }
    std::map<std::string, place> seen;
    for (auto const& entry : node.entries) read_entry(path, entry, seen);
    return true;
  }

 private:
  std::string shown(const std::string& path) const { return below(map_.shown_in, path); }

  void read_entry(const std::string& section, const yaml_entry& entry, std::map<std::string, place>& seen) {
    auto const& [key, value] = entry;
    if (key.type != yaml_node::kind::scalar || !key.refusal.empty())
      return values_.complain(key.at, shown(section),
                              "expected the name of a key, found " + std::string(kind_name(key.type)));
    auto const& name = key.text;
    if (name == "<<")
      return values_.complain(key.at, shown(section.empty() ? map_.shown_in.empty() ? name : "" : section),
                              "merge keys (<<) are not supported; write the keys out");
    auto const path = below(section, name);
    // A dotted name could look like the path of a key in another section.
    bool const is_name = !name.empty() && name.find('.') == std::string::npos;
    auto const* const known = is_name ? map_.table.find(path) : nullptr;
    bool const is_map = known == nullptr && is_name && map_.table.is_section(path);
    if (known == nullptr && !is_map) {
      if (name_may_hold_secret(name))
        return values_.complain(key.at, shown(section),
                                "unknown key (name hidden); a key is followed by ':' and a space");
      return values_.complain(key.at, shown(section) + (shown(section).empty() ? "" : ".") + printable(name),
                              "unknown key " + in_quotes(name) + "; " + advice(map_.table, section, name));
    }
    auto const [first, is_new] = seen.emplace(name, key.at);
    if (!is_new)
      values_.complain(key.at, shown(path), "duplicate key; first given at line " + std::to_string(first->second.line));
    bool const good = is_map ? read_section(path, value) : read_value(*known, value);
    values_.note(shown(path), value.at, good);
  }

  /// Whether the field was set.
  bool read_value(const config_key& key, const yaml_node& node) {
    if (key.read_node) return key.read_node(map_.into, shown(key.path), node, values_);
    return values_.read_scalar({.path = shown(key.path),
                                .kind = key.kind,
                                .fallback = key.fallback,
                                .secret = key.secret,
                                .may_be_empty = key.may_be_empty},
                               node, [&](std::string_view text) { return key.read(map_.into, text); });
  }

  const keyed_map& map_;
  value_reader& values_;
};

}  // namespace

bool read_keys(const keyed_map& map, const yaml_node& node, value_reader& values) {
  return map_reader(map, values).read_section("", node);
}

}  // namespace cooldown::config
