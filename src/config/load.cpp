#include "cooldown/config/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "cooldown/core/ascii.hpp"

#include "address.hpp"
#include "expand.hpp"
#include "keys.hpp"
#include "suggest.hpp"
#include "yaml_tree.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t largest_file = 1024 * 1024;

std::string_view found(yaml_node::kind kind) {
  switch (kind) {
    case yaml_node::kind::null:
      return "nothing";
    case yaml_node::kind::scalar:
      return "a single value";
    case yaml_node::kind::list:
      return "a list";
    case yaml_node::kind::map:
      return "a map";
  }
  return "nothing";
}

std::string with_article(std::string_view noun) {
  bool const vowel = std::string_view("aeio").find(noun.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(noun);
}

std::string joined(const std::vector<std::string>& names, std::string_view separator) {
  std::string list;
  for (auto const& name : names) list.append(list.empty() ? "" : separator).append(name);
  return list;
}

std::string_view without_line_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// "$NAME": what a shell would expand and this file does not.
bool looks_like_variable(std::string_view text) {
  return text.size() > 1 && text.front() == '$' && text[1] != '$' && text[1] != '{' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) {
           return c == '_' || is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
         });
}

/// Whether text that should hold no secret may hold one all the same: pasted at the wrong key, or swallowed by a value
/// whose quote is closed much later.
bool may_hold_secret(std::string_view text) {
  return text.size() > 60 || text.find("sk-") != std::string_view::npos;
}

/// The same of a key's name: "api_key:csk-..." with the space forgotten is one.
bool name_may_hold_secret(std::string_view name) {
  return may_hold_secret(name) || name.find_first_of(":=$\"'") != std::string_view::npos;
}

/// What an unknown key may have been meant to be.
std::string advice(const std::string& section, std::string_view name) {
  if (name.find('.') != std::string_view::npos) return "write one map in another instead of dots";
  auto const here = children(section);
  if (auto const meant = nearest(name, here); !meant.empty()) return "did you mean '" + meant + "'?";
  std::vector<std::string> elsewhere;
  for (auto const& k : keys()) {
    auto const dot = k.path.rfind('.');
    if (k.path.substr(dot + 1) == name) elsewhere.push_back("'" + k.path.substr(0, dot) + "'");
  }
  if (!elsewhere.empty()) return "it belongs in " + joined(elsewhere, " or ");
  return "known here: " + joined(here, ", ");
}

/// Walks the tree along the table of keys; collects the settings and everything wrong with them.
class reader {
 public:
  reader(std::string_view file, const environment& env) : file_(file), env_(env) {}

  void read_document(const yaml_node& root) {
    if (!read_section("", root.at, root)) return;
    check_ports();
    check_sizes();
  }

  void complain(place at, std::string key, std::string message) {
    problems_.push_back({file_, at.line, at.column, std::move(key), std::move(message)});
  }

  std::variant<settings, problems> take() {
    if (problems_.empty()) return std::move(settings_);
    std::stable_sort(problems_.begin(), problems_.end(), [](const problem& a, const problem& b) {
      return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    return std::move(problems_);
  }

 private:
  /// False when it is no map at all. A section without content is one with nothing but defaults.
  bool read_section(const std::string& path, place at, const yaml_node& node) {
    if (!node.refusal.empty()) {
      complain(at, path, node.refusal);
      return false;
    }
    if (node.type == yaml_node::kind::null) return true;
    if (node.type != yaml_node::kind::map) {
      complain(at, path,
               "expected a map (" + joined(children(path), ", ") + "), found " + std::string(found(node.type)));
      return false;
    }
    std::map<std::string, place> seen;
    for (auto const& entry : node.entries) read_entry(path, entry, seen);
    return true;
  }

  void read_entry(const std::string& section, const yaml_entry& entry, std::map<std::string, place>& seen) {
    auto const& [key, value] = entry;
    if (key.type != yaml_node::kind::scalar || !key.refusal.empty())
      return complain(key.at, section, "expected the name of a key, found " + std::string(found(key.type)));
    auto const& name = key.text;
    auto const path = section.empty() ? name : section + '.' + name;
    // A dotted name could spell the path of a key that is elsewhere.
    auto const* known = name.find('.') == std::string::npos ? find_key(path) : nullptr;
    bool const is_map = known == nullptr && !name.empty() && name.find('.') == std::string::npos && is_section(path);
    if (known == nullptr && !is_map) {
      if (name_may_hold_secret(name))
        return complain(key.at, section, "unknown key (name hidden); a key is followed by ':' and a space");
      return complain(key.at, (section.empty() ? "" : section + '.') + printable(name),
                      "unknown key " + quoted(name) + "; " + advice(section, name));
    }
    auto const [first, is_new] = seen.emplace(name, key.at);
    if (!is_new) complain(key.at, path, "duplicate key; first given at line " + std::to_string(first->second.line));
    if (is_map) {
      given_[path] = {value.at, read_section(path, value.at, value)};
    } else {
      given_[path] = {value.at, read_value(*known, value)};
    }
  }

  /// Whether the field was set.
  bool read_value(const scalar_key& key, const yaml_node& node) {
    if (!node.refusal.empty()) {
      complain(node.at, key.path, node.refusal);
      return false;
    }
    if (node.type == yaml_node::kind::list || node.type == yaml_node::kind::map) {
      complain(node.at, key.path, "expected " + with_article(key.kind) + ", found " + std::string(found(node.type)));
      return false;
    }
    if (node.type == yaml_node::kind::null && !key.may_be_empty) {
      complain(node.at, key.path, "has no value; remove the line to take the default (" + key.fallback + ")");
      return false;
    }
    auto const raw = without_line_end(node.text);
    auto const value = expand(raw, env_);
    for (auto const& mistake : value.mistakes) complain(node.at, key.path, mistake);
    if (!value.mistakes.empty()) return false;
    auto const text = without_line_end(value.text);
    if (key.secret && looks_like_variable(raw)) {
      complain(node.at, key.path, "write ${NAME} for the value of a variable, or '$$' for a plain '$' (value hidden)");
      return false;
    }
    auto bad = key.read(settings_, text);
    if (!bad) return true;
    bool const hidden = key.secret || value.from_environment || bad->hide || may_hold_secret(text);
    complain(node.at, key.path, bad->why + (hidden ? " (value hidden)" : bad->hint + "; got " + quoted(text)));
    return false;
  }

  struct given {
    place at;
    bool good = true;
  };

  /// Neither the key nor a section around it was refused.
  bool is_good(std::string path) const {
    for (;;) {
      auto const it = given_.find(path);
      if (it != given_.end() && !it->second.good) return false;
      auto const dot = path.rfind('.');
      if (dot == std::string::npos) return true;
      path.resize(dot);
    }
  }

  /// A rule between two keys is reported at the first of them that the file gives.
  void complain_at_one_of(const std::array<std::string, 2>& paths, const std::array<std::string, 2>& messages) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      auto const it = given_.find(paths[i]);
      if (it != given_.end()) return complain(it->second.at, paths[i], messages[i]);
    }
    complain({}, paths[0], messages[0]);
  }

  void check_ports() {
    auto const& [server, admin] = std::tie(settings_.server, settings_.admin);
    if (!is_good("server.host") || !is_good("server.port") || !is_good("admin.host") || !is_good("admin.port")) return;
    if (server.port == 0 || server.port != admin.port || !hosts_overlap(server.host, admin.host)) return;
    complain_at_one_of({"admin.port", "server.port"}, {"must not be the port that server.port has on the same host",
                                                       "must not be the port that admin.port has on the same host"});
  }

  void check_sizes() {
    auto const body = settings_.server.max_body_size;
    auto const queue = settings_.cerebras.queue.max_bytes;
    if (!is_good("server.max_body_size") || !is_good("cerebras.queue.max_bytes") || body <= queue) return;
    complain_at_one_of(
        {"cerebras.queue.max_bytes", "server.max_body_size"},
        {"must be at least server.max_body_size (" + show_size(body) + "), or the largest request could never wait",
         "must be at most cerebras.queue.max_bytes (" + show_size(queue) +
             "), or the largest request could never wait"});
  }

  std::string file_;
  const environment& env_;
  settings settings_;
  problems problems_;
  std::map<std::string, given> given_;
};

std::variant<settings, problems> one_problem(std::string_view file, place at, std::string message) {
  return problems{{std::string(file), at.line, at.column, "", std::move(message)}};
}

}  // namespace

std::string problem::text() const {
  auto out = file;
  if (line > 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  if (!key.empty()) out += ": " + key;
  return out + ": " + message;
}

environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::variant<settings, problems> parse(std::string_view yaml, std::string_view file, const environment& env) {
  if (yaml.size() > largest_file) return one_problem(file, {}, "larger than " + show_size(largest_file));
  auto tree = read_yaml(yaml);
  if (auto* error = std::get_if<yaml_error>(&tree)) return one_problem(file, error->at, std::move(error->message));
  reader r(file, env);
  r.read_document(std::get<yaml_node>(tree));
  return r.take();
}

std::variant<settings, problems> load_file(const std::string& path, const environment& env) {
  auto const close = [](std::FILE* f) { std::fclose(f); };
  std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  auto const failed = [&] {
    return one_problem(path, {}, "cannot read the file: " + std::generic_category().message(errno));
  };
  if (!file) return failed();
  // One byte more than is allowed, so that parse() sees the excess; a device without end is no danger.
  std::string text(largest_file + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return failed();
  return parse(text, path, env);
}

std::vector<key_facts> key_reference() {
  std::vector<key_facts> facts;
  for (auto const& k : keys()) facts.push_back({k.path, k.kind, k.fallback, k.range});
  return facts;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> paths;
  for (auto const& k : keys()) paths.push_back(k.path);
  return paths;
}

}  // namespace cooldown::config
