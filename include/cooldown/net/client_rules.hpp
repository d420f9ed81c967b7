// Identifies the client of a request, and what the configuration grants it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/config.hpp"

namespace cooldown::net {

/// The known facts about a request's sender.
struct sender {
  std::uint64_t credential = 0;  // salted hash of the key that it sent
  std::string_view user;         // from the body; empty: absent
  std::string_view address;
  std::string_view session{};  // of an agent; empty: absent
};

/// How the queue treats a request.
struct client_standing {
  std::uint64_t client = 0;  // a salted hash of the attributes that distinguish clients
  std::uint64_t group =
      0;  // the same without `user` and session, if other attributes count as well: its clients have one share
  double weight = 1;
  std::uint8_t urgency = 3;
};

class client_rules {
 public:
  /// A salted hash of anything, the same for equal texts.
  using hasher = std::function<std::uint64_t(std::string_view)>;

  client_rules(const config::cerebras_settings& settings, hasher hash);

  /// Whether sender::session is needed.
  bool tell_sessions_apart() const { return told_apart_by_.session; }

  /// `asked`: the urgency in the request's own Priority header.
  client_standing standing_of(const sender& who, std::optional<std::uint8_t> asked) const;

  /// The name of a client: that of its rule, its `user`, or its address with the name of its key (`key`), plus its
  /// session, depending on what distinguishes clients. A session is shown as a number, because it may be a secret.
  std::string name_of(const sender& who, std::string_view key) const;

  /// The name of the first rule that matches by this key alone; empty: none.
  std::string_view name_of_key(std::uint64_t credential) const;

 private:
  struct rule {
    std::optional<std::uint64_t> credential;
    config::client_rule match;
  };
  const rule* find(const sender& who) const;

  hasher hash_;
  config::client_attributes told_apart_by_;
  std::uint8_t default_urgency_;
  std::uint8_t highest_urgency_;
  std::vector<rule> rules_;
};

/// The key in a header's value, without the scheme Bearer.
std::string_view key_of(std::string_view credential);

}  // namespace cooldown::net
