// Which client a request is of, and what the configuration grants it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/config.hpp"

namespace cooldown::net {

/// What is known of a request's sender.
struct sender {
  std::uint64_t credential = 0;  // salted hash of the key that it sent
  std::string_view user;         // of the body; empty: not given
  std::string_view address;
  std::string_view session{};  // of an agent; empty: not given
};

/// How the queue treats a request.
struct client_standing {
  std::uint64_t client = 0;  // a salted hash of what tells clients apart
  std::uint64_t group =
      0;  // the same but for `user` and session, where there is more: they have one share between them
  double weight = 1;
  std::uint8_t urgency = 3;
};

class client_rules {
 public:
  /// A salted hash of anything, the same for equal texts.
  using hasher = std::function<std::uint64_t(std::string_view)>;

  client_rules(const config::cerebras_settings& settings, hasher hash);

  /// `asked`: the urgency that the request itself names.
  client_standing standing_of(const sender& who, std::optional<std::uint8_t> asked) const;

  /// What a client is called: by the name of its rule, by its `user`, or by its address and what its key is called
  /// (`key`), and by its session, as far as these tell clients apart. Of a session a number is shown: it may be a
  /// secret.
  std::string name_of(const sender& who, std::string_view key) const;

  /// The name of the first rule that matches everything with this key; empty: there is none.
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

/// The key in the value of a header: without its scheme, where that is Bearer.
std::string_view key_of(std::string_view credential);

}  // namespace cooldown::net
