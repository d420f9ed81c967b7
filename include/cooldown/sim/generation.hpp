// The answer to an admitted request: paced like a model that generates, streamed or whole, faults included.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "cooldown/sim/api_reply.hpp"
#include "cooldown/sim/connection.hpp"
#include "cooldown/sim/exchange.hpp"
#include "cooldown/sim/fault.hpp"
#include "cooldown/sim/simulation.hpp"

namespace cooldown::sim {

// Settles a reservation in its destructor, with the tokens generated until then.
class open_admission {
 public:
  open_admission(simulation& world, model_quota& quota, const reservation& held, const token_usage& input);
  open_admission(const open_admission&) = delete;
  open_admission& operator=(const open_admission&) = delete;
  ~open_admission();

  void generated(std::int64_t tokens) { used_.output = tokens; }
  // The answer has ended normally, or by a fault. Without this call the client has disconnected.
  void finish() { finished_ = true; }

 private:
  simulation& world_;
  model_quota& quota_;
  reservation held_;
  token_usage used_;
  bool finished_ = false;
};

// The answer, and how to send it.
struct generation_plan {
  generation_plan(api_reply r, std::vector<rate_header> h, fault_plan f)
      : reply(std::move(r)), headers(std::move(h)), faults(f) {}

  api_reply reply;  // its usage is that of the complete answer
  std::vector<rate_header> headers;
  fault_plan faults;
  nanoseconds late{0};  // delay of the whole answer
  double speed = 0;     // tokens per second; 0: all at once
  bool stream = false;
  bool keep_alive = true;
  bool is_http_1_0 = false;  // no chunks: the end of the body is the end of the connection
};

// All arguments outlive the coroutine.
asio::awaitable<next_step> generate(connection& client, simulation& world, open_admission& open,
                                    const generation_plan& plan);

// Waits until `time` of the simulation; false as soon as the client has disconnected.
asio::awaitable<bool> wait_until(connection& client, const simulation& world, nanoseconds time);

// The head of a response. `length` < 0: chunked, or close-delimited if `chunked` is false.
std::string response_head(int status, std::string_view type, std::int64_t length, bool chunked, bool keep_alive,
                          const std::vector<rate_header>& headers);

}  // namespace cooldown::sim
