// All keys: path, accepted values, default, and the field that each sets. One table; keys are named nowhere else.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cooldown/config/config.hpp"

#include "scalars.hpp"
#include "value_reader.hpp"

namespace YAML {
class Emitter;
}

namespace cooldown::config {

struct config_key {
  std::string path;      // "cerebras.queue.max_depth"
  std::string kind;      // "integer", "size", ...
  std::string range;     // "0 to 65535"; the choices of a word; empty: anything of its kind
  std::string fallback;  // the default, as written in a file
  std::function<std::optional<rejection>(settings&, std::string_view)> read;
  /// The value as written in a file; empty for keys with more than one value.
  std::function<std::string(settings)> show = {};
  bool secret = false;
  bool may_be_empty = false;
  /// Instead of `read`, for keys with more than one value; returns false when part of the value was rejected. The path
  /// is the one for messages.
  std::function<bool(settings&, const std::string& path, const yaml_node&, value_reader&)> read_node = {};
  /// Instead of `show`, for keys with more than one value.
  std::function<void(YAML::Emitter&, const settings&)> print_node = {};
};

class key_table {
 public:
  explicit key_table(std::vector<config_key> keys) : keys_(std::move(keys)) {}

  const std::vector<config_key>& all() const { return keys_; }
  /// The key with that path, or nullptr.
  const config_key* find(std::string_view path) const;
  /// Whether there are keys below that path. "" is the whole table.
  bool is_section(std::string_view path) const;
  /// Names of the keys and sections directly below a section.
  std::vector<std::string> children(std::string_view section) const;

 private:
  std::vector<config_key> keys_;
};

/// In the order of config.yaml.example.
const key_table& document_keys();

/// The keys of one of `upstreams`: those of `cerebras` that concern a provider, and some more. They set `cerebras` of
/// the settings given to them.
const key_table& upstream_keys();

}  // namespace cooldown::config
