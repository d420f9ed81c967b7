// The interface of schedulers, which decide when a request is sent: our limiter, and those it is compared with.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "quota/call.hpp"
#include "quota/event_loop.hpp"

namespace cooldown::bench {

/// The world of a scheduler.
class surroundings {
 public:
  virtual ~surroundings() = default;
  virtual event_loop& loop() = 0;
  virtual wall_time wall() const = 0;  // the proxy's clock
  /// Sends the request to the provider.
  virtual void send(const call_ptr& c) = 0;
  /// The client gets an answer other than 200.
  virtual void refuse(const call_ptr& c, bool retry_helps, std::optional<duration> retry_after) = 0;
  /// When a provider would admit it, if nothing happens until then; of several destinations, c->at is the first that
  /// would. Only for the omniscient scheduler.
  virtual std::optional<time_point> admissible_at(const call_ptr& c) = 0;
};

class scheduler {
 public:
  virtual ~scheduler() = default;
  virtual void submit(const call_ptr& c) = 0;
  virtual void head(const call_ptr& c, const rate_headers& headers) = 0;
  virtual void refused(const call_ptr& c, const refusal& why) = 0;
  virtual void done(const call_ptr& c) = 0;
  virtual void left(const call_ptr& c) = 0;
  /// A charge, a refund or a change of limits has happened.
  virtual void quota_changed() {}
  /// Tokens that it believes to be left; for traces.
  virtual double believed(const call_ptr& /*c*/) { return 0; }
  /// Takes over what its predecessor has learned, if it can.
  virtual void go_on(scheduler& /*former*/) {}
  /// The limiter that it drives, of the first destination; nullptr: none.
  virtual cerebras_limiter* limiter() { return nullptr; }
};

/// Makes a scheduler for a world, which outlives it.
using scheduler_maker = std::function<std::unique_ptr<scheduler>(surroundings&)>;

enum class contestant : std::uint8_t { omniscient, ours, seed, direct };
const char* name_of(contestant c);

std::unique_ptr<scheduler> make_scheduler(contestant who, const workload& w, surroundings& world);

std::unique_ptr<scheduler> make_omniscient(surroundings& world);
std::unique_ptr<scheduler> make_ours(const workload& w, surroundings& world);

}  // namespace cooldown::bench
