// Reads values from the tree, for any key, and collects errors.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/load.hpp"

#include "scalars.hpp"
#include "yaml_tree.hpp"

namespace cooldown::config {

/// Facts about a single value besides how to read it.
struct scalar_rule {
  std::string path;
  std::string kind;
  std::string fallback = {};  // mentioned when there is no value
  bool secret = false;
  bool may_be_empty = false;
};

/// Stores the expanded text in its field, or says why not.
using scalar_reading = std::function<std::optional<rejection>(std::string_view text)>;

class value_reader {
 public:
  value_reader(std::string_view file, const environment& env) : file_(file), env_(env) {}

  void complain(place at, std::string key, std::string message);

  /// False when the value was rejected; that adds an error, without the value if it may be a secret.
  bool read_scalar(const scalar_rule& rule, const yaml_node& node, const scalar_reading& read);

  /// Notes that the file has this key or section, and whether its value was accepted.
  void note(const std::string& path, place at, bool good) { given_[path] = {at, good}; }
  bool has(const std::string& path) const { return given_.contains(path); }
  /// Where the file has it; nowhere: the file as a whole.
  place place_of(const std::string& path) const;
  /// Neither the key nor a section around it was rejected.
  bool is_good(std::string path) const;

  /// All errors, in the order of the file.
  problems take();

 private:
  std::string file_;
  const environment& env_;
  problems problems_;
  struct given {
    place at;
    bool good = true;
  };
  std::map<std::string, given> given_;
};

/// "a list", "a map", ... for messages.
std::string_view kind_name(yaml_node::kind kind);

std::string joined(const std::vector<std::string>& names, std::string_view separator);

/// Whether the name of a key may contain a secret, as in "api_key:csk-..." with the space missing.
bool name_may_hold_secret(std::string_view name);

}  // namespace cooldown::config
