#include "cooldown/net/sending.hpp"

#include <array>
#include <exception>
#include <memory>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "cooldown/exchange/body_pace.hpp"
#include "cooldown/net/buffers.hpp"

namespace cooldown::net {
namespace {

// A provider that has answered and takes nothing for so long will not take the rest.
constexpr duration patience_after_success = std::chrono::seconds{1};

/// The part of a request that is sent while its answer is waited for. Two coroutines share it.
struct sending {
  explicit sending(executor ex) : ended(ex) { ended.expires_at(time_point::max()); }
  steady_timer ended;  // wakes whoever waits for the end
  std::size_t sent = 0;
  error_code failed;
  bool over = false;
  bool stop = false;
  bool complete = false;
};

/// However it ends.
struct end_of_sending {
  std::shared_ptr<sending> of;
  ~end_of_sending() {
    of->over = true;
    of->ended.cancel();
  }
};

task<void> send_rest(upstream_connection& u, std::array<asio::const_buffer, 2> buffers, duration patience,
                     interrupt& ctl, std::shared_ptr<sending> s) {
  end_of_sending const end{s};
  std::span<asio::const_buffer> left(buffers);
  consume(left, s->sent);
  while (!left.empty() && !s->stop && !ctl.fired()) {
    auto const [ec, n] = co_await u.write_some(left);
    if (ec) {
      s->failed = ec;
      // Nothing will come of it; after any other failure an answer may still be there.
      if (is_local(ec)) u.cancel();
      break;
    }
    s->sent += n;
    consume(left, n);
    ctl.extend(time_for(n), patience);
  }
  s->complete = left.empty();
  if (s->complete) ctl.set(patience);
}

/// The answer's head is here, and the request is still being sent.
task<void> end_sending(upstream_connection& u, bool success, sending& s) {
  while (!s.over) {
    auto const before = s.sent;
    if (success) {
      s.ended.expires_after(patience_after_success);
      co_await s.ended.async_wait(tok);
      if (s.over || s.sent > before) continue;
    }
    success = false;
    s.stop = true;
    u.cancel();
    s.ended.expires_at(time_point::max());
    co_await s.ended.async_wait(tok);
  }
}

}  // namespace

task<head_result> send_and_read_head(upstream_connection& u, const sent_request& what, interrupt& ctl,
                                     std::string& bytes, http::response_head& head) {
  std::array<asio::const_buffer, 2> buffers{asio::buffer(what.head), asio::buffer(what.body)};
  interrupt::watching<upstream_connection> const watched(ctl, u);
  ctl.set(what.patience);
  // The socket's buffer nearly always takes all at once: no suspension then.
  error_code failed;
  auto const sent = u.write_at_once(buffers, failed);
  bool complete = sent == what.head.size() + what.body.size();
  std::shared_ptr<sending> s;  // null: nothing is sent any more
  if (!complete && !failed) {
    s = std::make_shared<sending>(u.socket().get_executor());
    s->sent = sent;
    auto rest = send_rest(u, buffers, what.patience, ctl, s);
    asio::co_spawn(u.socket().get_executor(), std::move(rest), asio::detached);
  }
  // An upstream that answers early may close its reading side: its answer is still to be read.
  head_result answer;
  std::exception_ptr broke;
  try {
    answer = co_await read_response_head(u, what.method, what.largest_head, ctl, bytes, head);
  } catch (...) {  // whatever it is, the connection must be there until the sending has ended
    broke = std::current_exception();
  }
  bool const answered = answer.kind == head_result::what::ok;
  if (s && !s->over) co_await end_sending(u, answered && head.status < 300, *s);
  if (broke) std::rethrow_exception(broke);
  if (s) {
    complete = s->complete;
    failed = s->failed;
  }
  if (!complete) u.broken = true;
  if (answered && ctl.why() == interruption::timeout) ctl.reset();
  if (!answered && is_local(failed)) {
    answer.error = failed;
    answer.message = failed.message();
  }
  co_return answer;
}

}  // namespace cooldown::net
