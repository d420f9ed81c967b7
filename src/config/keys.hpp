// All keys: path, accepted values, default, and the field that each sets. One table; keys are named nowhere else.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
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
  /// Instead of `read`, for keys with more than one value; returns false when part of the value was rejected.
  std::function<bool(settings&, const yaml_node&, value_reader&)> read_node = {};
  /// Instead of `show`, for keys with more than one value.
  std::function<void(YAML::Emitter&, const settings&)> print_node = {};
};

/// In the order of config.yaml.example.
const std::vector<config_key>& keys();

/// The key with that path, or nullptr.
const config_key* find_key(std::string_view path);

/// Whether there are keys below that path. "" is the document.
bool is_section(std::string_view path);

/// Names of the keys and sections directly below a section.
std::vector<std::string> children(std::string_view section);

}  // namespace cooldown::config
