#include "print.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include <yaml-cpp/emitter.h>

#include "cooldown/config/load.hpp"

#include "keys.hpp"

namespace cooldown::config {
namespace {

std::string text_of(const address_range& range) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  bool const v4 = range.bits >= 96 && IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(range.first.data()));
  inet_ntop(v4 ? AF_INET : AF_INET6, range.first.data() + (v4 ? 12 : 0), text.data(), text.size());
  return std::string(text.data()) + '/' + std::to_string(v4 ? range.bits - 96 : range.bits);
}

void print_list(YAML::Emitter& out, const std::vector<std::string>& texts) {
  out << YAML::Flow << YAML::BeginSeq;
  for (auto const& t : texts) out << t;
  out << YAML::EndSeq;
}

}  // namespace

void print_limits(YAML::Emitter& out, const settings& s) {
  out << YAML::Flow << YAML::BeginMap;
  for (auto const& [model, m] : s.cerebras.limits) {
    out << YAML::Key << (model == "*" ? "default" : model) << YAML::Value << YAML::Flow << YAML::BeginMap;
    auto const one = [&](const char* name, const std::optional<std::uint64_t>& limit) {
      if (limit) out << YAML::Key << name << YAML::Value << *limit;
    };
    one("rpm", m.rpm);
    one("rph", m.rph);
    one("rpd", m.rpd);
    one("tpm", m.tpm);
    one("tph", m.tph);
    one("tpd", m.tpd);
    one("total_tpm", m.total_tpm);
    one("total_tph", m.total_tph);
    one("total_tpd", m.total_tpd);
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
}

void print_headers(YAML::Emitter& out, const settings& s) {
  out << YAML::Flow << YAML::BeginMap;
  for (auto const& [name, means] : s.cerebras.rate_limits.headers)
    out << YAML::Key << name << YAML::Value << in_words(means);
  out << YAML::EndMap;
}

void print_clients(YAML::Emitter& out, const settings& s) {
  out << YAML::Flow << YAML::BeginSeq;
  for (auto const& rule : s.cerebras.clients) {
    out << YAML::Flow << YAML::BeginMap;
    if (!rule.name.empty()) out << YAML::Key << "name" << YAML::Value << rule.name;
    out << YAML::Key << "match" << YAML::Value << YAML::Flow << YAML::BeginMap;
    if (rule.credential) out << YAML::Key << "credential" << YAML::Value << hidden_secret;
    if (rule.user) out << YAML::Key << "user" << YAML::Value << *rule.user;
    if (rule.address) out << YAML::Key << "address" << YAML::Value << text_of(*rule.address);
    out << YAML::EndMap;
    if (rule.priority) out << YAML::Key << "priority" << YAML::Value << *rule.priority;
    if (rule.highest_priority) out << YAML::Key << "highest_priority" << YAML::Value << *rule.highest_priority;
    out << YAML::Key << "weight" << YAML::Value << rule.weight << YAML::EndMap;
  }
  out << YAML::EndSeq;
}

void print_fair_share(YAML::Emitter& out, const settings& s) {
  auto const& by = s.cerebras.queue.fair_share_by;
  std::vector<std::string> names;
  if (by.credential) names.emplace_back("credential");
  if (by.user) names.emplace_back("user");
  if (by.address) names.emplace_back("address");
  if (by.session) names.emplace_back("session");
  if (names.empty()) names.emplace_back("none");
  print_list(out, names);
}

void print_auth_tokens(YAML::Emitter& out, const settings& s) {
  print_list(out, std::vector<std::string>(s.server.auth_tokens.size(), hidden_secret));
}

void print_api_keys(YAML::Emitter& out, const settings& s) {
  print_list(out, std::vector<std::string>(s.cerebras.api_keys.size(), hidden_secret));
}

void print_models(YAML::Emitter& out, const settings& s) {
  out << YAML::Flow << YAML::BeginMap;
  for (auto const& [name, name_there] : s.cerebras.models) out << YAML::Key << name << YAML::Value << name_there;
  out << YAML::EndMap;
}

void print_allowed_origins(YAML::Emitter& out, const settings& s) {
  print_list(out, s.server.allowed_origins);
}

void print_allowed_hosts(YAML::Emitter& out, const settings& s) {
  print_list(out, s.server.allowed_hosts);
}

namespace {

void print_value(YAML::Emitter& out, const config_key& key, const settings& s) {
  if (key.print_node) {
    key.print_node(out, s);
    return;
  }
  auto const text = key.show(s);
  out << (text.empty() ? YAML::DoubleQuoted : YAML::Auto) << text;
}

/// The keys below a section, each section once, in the order of the table.
void print_section(YAML::Emitter& out, const key_table& table, const std::string& section, const settings& s) {
  out << YAML::Block << YAML::BeginMap;
  for (auto const& name : table.children(section)) {
    auto const path = section.empty() ? name : section + '.' + name;
    out << YAML::Key << name << YAML::Value;
    if (auto const* const key = table.find(path)) {
      print_value(out, *key, s);
    } else {
      print_section(out, table, path, s);
    }
  }
  out << YAML::EndMap;
}

}  // namespace

void print_keys(YAML::Emitter& out, const key_table& table, const settings& s) {
  print_section(out, table, "", s);
}

std::string print(const settings& s) {
  YAML::Emitter out;
  print_keys(out, document_keys(), s);
  return std::string(out.c_str()) + '\n';
}

std::optional<std::string> assign(settings& s, std::string_view key, std::string_view value) {
  auto const* const k = document_keys().find(key);
  if (!k || !k->read) return "there is no such key";
  auto const bad = k->read(s, value);
  if (bad) return bad->why + bad->hint;
  return std::nullopt;
}

}  // namespace cooldown::config
