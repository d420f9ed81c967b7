// What the log, metrics, /status and the live page tell about requests.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cooldown/net/interrupt.hpp"
#include "cooldown/observe/history.hpp"
#include "cooldown/observe/log.hpp"
#include "cooldown/observe/names.hpp"
#include "cooldown/observe/stats.hpp"

namespace cooldown::net {

class telemetry {
 public:
  /// The scopes of all limiters, for the history.
  using scopes_function = std::function<std::vector<scope_report>(time_point now)>;

  telemetry(asio::io_context& io, deadline_sweep& sweep, observe::log& log_to, scopes_function scopes);
  ~telemetry();

  /// Counts and remembers a finished exchange, and writes its access line, together with others of about the same time.
  void finished(observe::access_record record);

  /// Something has changed, after which memory may be free.
  void stir() { at_rest_ = false; }

  /// Stops sampling for the history, so that it no longer keeps the loop running.
  void stop_history();

  /// Logs a problem of the provider's headers once per text, for a bounded number of texts.
  void complain_once(const std::string& problem);

  /// Called for each finished request; empty: nobody else counts.
  std::function<void(const observe::access_record&, wall_time now)> counted;
  /// Called when the history stops.
  std::function<void()> when_stopped;

  observe::log& log;
  observe::stats stats;
  observe::history history;
  observe::names names;  // of clients and keys, by hash
  const time_point started = steady_now();

 private:
  struct log_flusher;

  /// Samples the scopes once a second while there has been a request within the span of the history.
  void keep_history();
  void sample();

  scopes_function scopes_;
  std::set<std::string> complaints_;
  std::unique_ptr<log_flusher> flusher_;
  steady_timer sampler_;
  bool sampling_ = false;
  bool stopped_ = false;
  time_point last_request_{};
  bool at_rest_ = true;  // no request has ended for some seconds, and free memory has gone back
};

}  // namespace cooldown::net
