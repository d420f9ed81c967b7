// Every key there is: its path, what it accepts, its default and the field it sets. One table; nothing else names keys.
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
  std::string fallback;  // the default, as one would write it
  std::function<std::optional<rejection>(settings&, std::string_view)> read;
  /// The value as one would write it; empty for what is no single value.
  std::function<std::string(settings)> show = {};
  bool secret = false;
  bool may_be_empty = false;
  /// Instead of `read`, for what is no single value; false when something in it was refused.
  std::function<bool(settings&, const yaml_node&, value_reader&)> read_node = {};
  /// Instead of `show`, for the same.
  std::function<void(YAML::Emitter&, const settings&)> print_node = {};
};

/// In the order of config.yaml.example.
const std::vector<config_key>& keys();

/// The key of that path, or nullptr.
const config_key* find_key(std::string_view path);

/// Whether keys stand below that path. "" is the document.
bool is_section(std::string_view path);

/// Names of the keys and sections directly below a section.
std::vector<std::string> children(std::string_view section);

}  // namespace cooldown::config
