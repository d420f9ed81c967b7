// Reads values out of the tree, whatever key they stand at, and keeps what is wrong with them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/load.hpp"

#include "scalars.hpp"
#include "yaml_tree.hpp"

namespace cooldown::config {

/// What is known of a single value besides how to read it.
struct scalar_rule {
  std::string path;
  std::string kind;
  std::string fallback = {};  // said when there is no value
  bool secret = false;
  bool may_be_empty = false;
};

/// Takes the text, after expansion, into its field; or says why not.
using scalar_reading = std::function<std::optional<rejection>(std::string_view text)>;

class value_reader {
 public:
  value_reader(std::string_view file, const environment& env) : file_(file), env_(env) {}

  void complain(place at, std::string key, std::string message);

  /// False when the value was refused; that is complained of then, without the value where it may be a secret.
  bool read_scalar(const scalar_rule& rule, const yaml_node& node, const scalar_reading& read);

  /// All complaints, in the order of the file.
  problems take();

 private:
  std::string file_;
  const environment& env_;
  problems problems_;
};

/// "a list", "a map", ... for messages.
std::string_view kind_name(yaml_node::kind kind);

std::string joined(const std::vector<std::string>& names, std::string_view separator);

/// Whether the name of a key may hold a secret: "api_key:csk-..." with the space forgotten does.
bool name_may_hold_secret(std::string_view name);

}  // namespace cooldown::config
