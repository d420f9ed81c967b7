#include "upstreams.hpp"

#include <algorithm>

#include <yaml-cpp/emitter.h>

#include "cooldown/text/ascii.hpp"

#include "print.hpp"
#include "section.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t longest_name = 32;
constexpr std::size_t most_upstreams = 32;  // besides `cerebras`: each has connections and limiters of its own

bool is_name_char(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
}

bool require(const char* key, const char* why, const std::string& path, const yaml_node& node, value_reader& values) {
  if (values.has(path + '.' + key)) return true;
  values.complain(node.at, path, std::string("has no '") + key + "': " + why);
  return false;
}

/// Nothing is sent to an upstream but what its item says: no default of `cerebras` holds that could leak a key.
settings defaults_of_an_item() {
  settings s;
  s.cerebras.name.clear();
  s.cerebras.pass_client_key = false;
  s.cerebras.rate_limits.use_headers = true;
  return s;
}

bool read_upstream(const std::string& path, const yaml_node& node, settings& s, value_reader& values) {
  auto item = defaults_of_an_item();
  if (!read_keys({upstream_keys(), item, path}, node, values)) return false;
  upstream_settings& read = item.cerebras;
  complete_accounts(read, path, values);
  bool good = require("name", "the log and the metrics call it by one", path, node, values);
  good = require("base_url", "say where it is", path, node, values) && good;
  auto const same = [&](const upstream_settings& u) { return u.name == read.name; };
  if (!read.name.empty() && (same(s.cerebras) || std::any_of(s.upstreams.begin(), s.upstreams.end(), same))) {
    values.complain(values.place_of(path + ".name"), path + ".name",
                    "another upstream has the name " + in_quotes(read.name) + " already");
    good = false;
  }
  s.upstreams.push_back(std::move(read));
  return good;
}

}  // namespace

bool read_upstreams(settings& s, const std::string& path, const yaml_node& node, value_reader& values) {
  s.upstreams.clear();
  if (!node.refusal.empty()) {
    values.complain(node.at, path, node.refusal);
    return false;
  }
  if (node.type == yaml_node::kind::null) return true;
  if (node.type != yaml_node::kind::list || node.items.size() > most_upstreams) {
    values.complain(node.at, path,
                    node.type == yaml_node::kind::list
                        ? "must not have more than " + std::to_string(most_upstreams) + " upstreams"
                        : "expected a list of upstreams, found " + std::string(kind_name(node.type)));
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    auto const item = path + '[' + std::to_string(i) + ']';
    bool const is_good = read_upstream(item, node.items[i], s, values);
    values.note(item, node.items[i].at, is_good);
    good = good && is_good;
  }
  return good;
}

void print_upstreams(YAML::Emitter& out, const settings& s) {
  out << YAML::BeginSeq;
  for (auto const& upstream : s.upstreams) {
    settings item;
    static_cast<upstream_settings&>(item.cerebras) = upstream;
    print_keys(out, upstream_keys(), item);
  }
  out << YAML::EndSeq;
}

reading<std::string> read_upstream_name(std::string_view text) {
  if (text.empty() || text.size() > longest_name || !std::all_of(text.begin(), text.end(), is_name_char))
    return rejection{"must have between 1 and " + std::to_string(longest_name) + " letters, digits, '-', '_' or '.'"};
  return std::string(text);
}

void complete_accounts(upstream_settings& upstream, const std::string& path, value_reader& values) {
  auto const key = path + ".api_key";
  auto const keys = path + ".api_keys";
  auto const pass = path + ".pass_client_key";
  if (!upstream.api_keys.empty()) {
    if (!upstream.api_key.empty())
      values.complain(values.place_of(keys), keys, "must not be given with api_key; write all keys here");
    upstream.api_key = upstream.api_keys.front();
  }
  if (values.has(pass) && upstream.pass_client_key && !upstream.api_key.empty())
    values.complain(values.place_of(pass), pass,
                    "must not be true with a key of the upstream's own: one of them is sent");
}

}  // namespace cooldown::config
