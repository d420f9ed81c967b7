// All destinations of requests, in the order of preference.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cooldown/net/destination.hpp"
#include "cooldown/schedule/conversations.hpp"
#include "cooldown/schedule/routing.hpp"

namespace cooldown::net {

class upstreams {
 public:
  /// Throws std::runtime_error if the TLS settings cannot be used.
  upstreams(asio::io_context& io, deadline_sweep& sweep, const settings_ptr& settings);
  ~upstreams();
  upstreams(const upstreams&) = delete;
  upstreams& operator=(const upstreams&) = delete;

  /// What new settings need, for apply(). Throws and changes nothing if the settings cannot be used.
  std::vector<upstream_ptr> prepare(const settings_ptr& settings);
  /// Accounts that go on keep their limiters; requests that wait for others go elsewhere.
  void apply(std::vector<upstream_ptr> prepared);

  /// Never empty.
  const std::vector<destination_ptr>& all() const { return all_; }
  /// The destination of requests that no other can serve.
  const destination_ptr& first() const { return all_.front(); }
  bool several() const { return all_.size() > 1; }
  const routing_rules& rules() const { return rules_; }
  bool sticky() const { return sticky_; }

  /// Number of requests that wait, for quota or for a provider.
  std::size_t queue_length() const;

  /// What a destination offers has changed: those that wait, wherever that is, may be served sooner elsewhere.
  void ask_again();

  /// Pauses or resumes all accounts of an upstream, or one account. False: there is none of that name.
  bool pause(std::string_view name, bool paused);

  /// Connections opened by all providers, previous ones included.
  std::uint64_t connections_opened() const;
  /// Closes the connections that nobody uses.
  void close_idle();

  conversations sent;  // where the last request of each conversation was sent: a hash of the destination's name

 private:
  void breaker_changed(const std::string& upstream);
  destination_ptr take_former(std::vector<destination_ptr>& former, const upstream& next) const;

  asio::io_context& io_;
  deadline_sweep& sweep_;
  std::vector<destination_ptr> all_;
  std::map<std::string, std::shared_ptr<provider>, std::less<>> providers_;  // by the name of their upstream
  routing_rules rules_;
  bool sticky_ = true;
  std::uint64_t opened_before_ = 0;  // connections opened by previous providers
};

}  // namespace cooldown::net
