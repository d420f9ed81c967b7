#include "cooldown/net/client_rules.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "cooldown/observe/names.hpp"
#include "cooldown/text/ascii.hpp"
#include "cooldown/text/utf8.hpp"

namespace cooldown::net {
namespace {

// Of a name that a client chose itself.
constexpr std::size_t longest_user = 64;

std::string shortened(std::string_view text) {
  auto const front = front_of(text, longest_user);
  return std::string(front) + (front.size() < text.size() ? "…" : "");
}

}  // namespace

client_rules::client_rules(const config::cerebras_settings& settings, hasher hash)
    : hash_(std::move(hash)),
      told_apart_by_(settings.queue.fair_share_by),
      default_urgency_(static_cast<std::uint8_t>(settings.queue.default_priority)),
      highest_urgency_(static_cast<std::uint8_t>(settings.queue.highest_priority)) {
  for (auto const& from : settings.clients) {
    auto& r = rules_.emplace_back(rule{std::nullopt, from});
    if (from.credential) r.credential = hash_(*from.credential);
    r.match.credential.reset();
  }
}

const client_rules::rule* client_rules::find(const sender& who) const {
  if (rules_.empty()) return nullptr;
  auto const address = config::read_address(who.address);
  auto const found = std::find_if(rules_.begin(), rules_.end(), [&](const rule& r) {
    if (r.credential && *r.credential != who.credential) return false;
    if (r.match.user && *r.match.user != who.user) return false;
    return !r.match.address || (address && r.match.address->contains(*address));
  });
  return found == rules_.end() ? nullptr : &*found;
}

client_standing client_rules::standing_of(const sender& who, std::optional<std::uint8_t> asked) const {
  client_standing standing;
  // A zero byte stands in neither an address nor a header: no two senders share a text.
  std::string identity;
  if (told_apart_by_.credential) identity.assign(reinterpret_cast<const char*>(&who.credential), sizeof who.credential);
  if (told_apart_by_.address) identity += who.address;
  identity += '\0';
  if (told_apart_by_.credential || told_apart_by_.address) standing.group = hash_(identity);
  if (told_apart_by_.session) identity += who.session;
  identity += '\0';
  if (told_apart_by_.user) identity += who.user;
  standing.client = hash_(identity);
  standing.urgency = default_urgency_;
  auto highest = highest_urgency_;
  if (auto const* const r = find(who)) {
    standing.weight = r->match.weight;
    if (r->match.priority) standing.urgency = static_cast<std::uint8_t>(*r->match.priority);
    if (r->match.highest_priority) highest = static_cast<std::uint8_t>(*r->match.highest_priority);
  }
  if (asked) standing.urgency = std::max(*asked, highest);
  return standing;
}

std::string client_rules::name_of(const sender& who, std::string_view key) const {
  auto const* const r = find(who);
  std::string name = r ? r->match.name : std::string();
  auto const add = [&](const std::string& part) { name += (name.empty() ? "" : ", ") + part; };
  bool const one_user = !name.empty() && r->match.user;
  if (told_apart_by_.user && !who.user.empty() && !one_user) add("user " + shortened(who.user));
  bool const named = !name.empty();
  if (!named && told_apart_by_.address) name = who.address;
  if (!named && told_apart_by_.credential && who.credential != hash_({})) add(std::string(key));
  if (told_apart_by_.session && !who.session.empty())
    add("session " + std::to_string(observe::shown(hash_(who.session))));
  return name.empty() ? "all clients" : name;
}

std::string_view client_rules::name_of_key(std::uint64_t credential) const {
  auto const found = std::find_if(rules_.begin(), rules_.end(), [&](const rule& r) {
    return r.credential == credential && !r.match.user && !r.match.address && !r.match.name.empty();
  });
  return found == rules_.end() ? std::string_view() : found->match.name;
}

std::string_view key_of(std::string_view credential) {
  return istarts_with(credential, "bearer ") ? trim(credential.substr(7)) : credential;
}

}  // namespace cooldown::net
