#include "cooldown/net/exchange.hpp"

#include <algorithm>
#include <optional>

#include <fmt/compile.h>
#include <fmt/format.h>

#include "cooldown/exchange/retry.hpp"
#include "cooldown/http/chunked.hpp"
#include "cooldown/http/error_body.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/net/relay.hpp"
#include "cooldown/net/reply.hpp"
#include "cooldown/net/upstream_head.hpp"
#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown::net {
namespace {

constexpr std::size_t largest_error_body = 256 * 1024;
constexpr duration shortest_wait = std::chrono::milliseconds{1};  // worth mentioning
constexpr duration after_no_connection = std::chrono::milliseconds{100};
constexpr duration comment_interval = std::chrono::seconds{15};

/// Fields that we write ourselves: the upstream's of the same name would contradict them.
constexpr std::string_view own_fields[] = {"x-ratelimit-limit-rpm",         "x-ratelimit-limit-tpm",
                                           "x-ratelimit-current-tpm-limit", "x-ratelimit-remaining-tpm",
                                           "x-ratelimit-queue-length",      "x-circuitbreaker-state",
                                           "x-circuitbreaker-failures",     "x-ratelimit-delay",
                                           "x-ratelimit-delay-forecast",    "x-ratelimit-delay-reason"};

/// An answer that goes on as it is where the client reads an event stream already.
bool is_plain_event_stream(const http::response_head& head) {
  constexpr std::string_view wanted = "text/event-stream";
  auto const type = head.find("content-type").value_or("");
  bool const is_stream = istarts_with(type, wanted) &&
                         (type.size() == wanted.size() || type[wanted.size()] == ';' || type[wanted.size()] == ' ');
  auto const coding = head.find("content-encoding").value_or("");
  bool const plain = coding.empty() || iequals(coding, "identity");
  return is_stream && plain && head.body.how != http::body_framing::kind::none;
}

bool is_own(std::string_view name) {
  return std::any_of(std::begin(own_fields), std::end(own_fields),
                     [&](std::string_view f) { return iequals(f, name); });
}

/// How one attempt at the upstream ended, before anything went to the client.
struct attempt_end {
  enum class what : std::uint8_t {
    answered,
    not_for_it,  // another provider than the client's key is for
    no_connection,
    broken,
    unacceptable,
    timeout,
    interrupted
  } kind = what::broken;
  bool certificate = false;
  bool sent = false;   // some of the request may have reached the upstream
  bool stale = false;  // a kept connection ended before a byte of an answer: it was not there any more
  duration rested{};   // of that connection
  error_code local;    // broken by an error of this machine
  std::string message;
};

enum class verdict_on_provider : std::uint8_t { well, failing, none };

/// The exchange as an object, because its steps share a dozen facts. Lives in run_exchange's frame.
class exchange {
 public:
  exchange(client_connection& c, request& r) : c_(c), a_(c.shared), r_(r), settings_(c.shared.settings()) {
    record_.id = r.id;
    record_.client = c.peer;
    record_.method = r.method;
    record_.target = r.path();
    started_ = steady_now();
    ++a_.stats.requests_in_progress;
  }
  ~exchange() {
    --a_.stats.requests_in_progress;
    record_.total = seconds_of(steady_now() - started_);
    if (allowed_) a_.breaker_pass.abandoned(*allowed_);
    ticket_.reset();
    if (r_.metered) a_.bound_in_flight();
    record_.gone = record_.status == 0 || c_.ctl.why() == interruption::client_gone;
    a_.finished(std::move(record_));
  }
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  task<bool> run();

 private:
  using what = attempt_end::what;

  task<bool> refuse(reason why, refusal_details details);
  task<bool> refuse(const refused& why);
  task<std::optional<bool>> enter_queue();
  task<std::optional<bool>> wait_for_release();
  task<std::optional<bool>> ask_breaker();
  task<bool> gave_up_waiting();
  task<bool> refuse_for_breaker();
  task<bool> send_comment(std::string text);
  task<bool> end_with_event(std::string_view data);
  task<attempt_end> attempt(bool fresh);
  task<bool> pause(duration how_long);
  task<bool> refuse_after(const attempt_end& end);
  task<std::optional<bool>> handle_429();
  task<bool> answer_with(std::string body);
  task<relay_end> relay_as_event(http::usage_reader* usage);
  task<bool> relay_answer();
  std::string client_head(bool keep_alive, std::optional<std::size_t> length);
  void append_common_fields(std::string& out);
  void report(verdict_on_provider v);
  void note_failure(const attempt_end& end);
  verdict_on_provider judge(const attempt_end& end) const;
  bool wants_close() const { return !r_.keep_alive || a_.draining; }
  bool comments() const { return settings_->cerebras.queue.keepalive_after && facts_.stream && r_.http11; }
  std::optional<duration> client_limit() const;
  std::string place_in_queue() const;
  void note_release();
  scope_name scope() const { return {r_.credential, facts_.model}; }
  ticket_facts ticket() const;

  client_connection& c_;
  app& a_;
  request& r_;
  std::shared_ptr<const config::settings> settings_;
  http::body_facts facts_;
  std::optional<ticket_guard> ticket_;
  duration waited_{};
  duration max_wait_{};
  std::optional<duration> forecast_;  // the wait expected at submission, if there was to be one
  bool forecast_judged_ = false;
  unsigned repeats_ = 0;
  std::optional<circuit_breaker::permit> allowed_;  // the breaker waits for our verdict
  bool committed_ = false;                          // a keep-alive comment has sent the client's head already

  upstream_pool::connection_ptr upstream_;
  std::string head_bytes_;
  http::response_head head_;
  duration upstream_time_{};

  time_point started_;
  observe::access_record record_;
};

ticket_facts exchange::ticket() const {
  ticket_facts t;
  t.scope = scope();
  t.size = {.input_chars = facts_.input_chars,
            .images = facts_.images,
            .choices = facts_.choices,
            .max_output_tokens = facts_.max_output_tokens,
            .generates = r_.generates};
  t.body_bytes = r_.body.size();
  t.max_wait = max_wait_;
  auto const standing =
      a_.rules().standing_of({.credential = r_.key, .user = facts_.user, .address = c_.peer}, r_.urgency);
  t.client = standing.client;
  t.weight = standing.weight;
  t.urgency = standing.urgency;
  return t;
}

/// How long the client will be there: by its own word, or by its timeout unless comments keep it patient.
std::optional<duration> exchange::client_limit() const {
  if (r_.prefer_wait) return r_.prefer_wait;
  if (!r_.timeout) return std::nullopt;
  if (comments() && std::max<duration>(*settings_->cerebras.queue.keepalive_after, comment_interval) < *r_.timeout)
    return std::nullopt;
  return r_.timeout;
}

/// A comment of the event stream.
std::string exchange::place_in_queue() const {
  auto const now = steady_now();
  auto const standing = a_.limiter.standing_of(ticket_->id(), now);
  if (!standing) return ": queued\n\n";
  if (standing->held_by == constraint::paused)
    return fmt::format(": queued, position {} ({})\n\n", standing->position, text_of(standing->held_by));
  auto const left = std::max<duration>(std::chrono::seconds{1}, standing->expected - now);
  return fmt::format(": queued, position {}, about {} s ({})\n\n", standing->position, ceil_seconds(left).count(),
                     text_of(standing->held_by));
}

void exchange::note_release() {
  a_.stats.record_wait(seconds_of(waited_), record_.held_by);
  if (!forecast_ || std::exchange(forecast_judged_, true)) return;
  a_.stats.record_forecast(seconds_of(*forecast_), seconds_of(waited_));
}

void exchange::append_common_fields(std::string& out) {
  auto const now = steady_now();
  append_status_fields(out, a_, r_.metered ? a_.limiter.status(scope(), now) : a_.limiter.latest_status(now));
  if (waited_ > duration::zero()) http::append_field(out, "X-RateLimit-Delay", decimal_seconds(waited_));
  if (waited_ > duration::zero() && forecast_)
    http::append_field(out, "X-RateLimit-Delay-Forecast", decimal_seconds(*forecast_));
  if (waited_ > duration::zero() && record_.held_by != constraint::none)
    http::append_field(out, "X-RateLimit-Delay-Reason", name_of(record_.held_by));
  auto const tenths = [](duration d) { return std::max<duration::rep>(0, d / std::chrono::microseconds{100}); };
  auto const queued = tenths(waited_);
  auto const upstream = tenths(upstream_time_);
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("Server-Timing: queue;dur={}.{}, upstream;dur={}.{}\r\n"),
                 queued / 10, queued % 10, upstream / 10, upstream % 10);
}

/// A refusal of ours. After a keep-alive comment the head is gone: then it is an event of the stream, as the provider's
/// own late errors are.
task<bool> exchange::refuse(reason why, refusal_details details) {
  auto reply = refusal_reply(a_, why, details);
  record_.reason = text_of(why).code;
  record_.status = reply.status;
  if (committed_) {
    auto const data = http::answer_as_event(reply.body, reply.status);
    auto const sent = co_await end_with_event(data);
    co_return sent && !wants_close();
  }
  append_common_fields(reply.fields);
  bool const close = wants_close();
  auto const ec = co_await send(c_, &r_, reply, close);
  co_return !ec && !close;
}

task<bool> exchange::refuse(const refused& why) {
  refusal_details details;
  details.retry_after = why.retry_after;
  record_.cost = why.cost;
  if (why.why == reason::request_too_large_for_limit)
    details.explanation = fmt::format("It costs about {:.0f} tokens; the limit is {:.0f} tokens.", why.cost, why.limit);
  auto const limit = client_limit();
  if (why.why == reason::queue_timeout && limit && *limit <= max_wait_)
    details.explanation = *limit > duration::zero()
                              ? fmt::format("Its client waits at most {}.", delay_in_words(*limit))
                              : "Its client does not wait.";
  if (why.why == reason::queue_timeout && !why.retry_after)
    details.explanation.insert(0, details.explanation.empty() ? "The model is paused." : "The model is paused. ");
  auto const done = co_await refuse(why.why, std::move(details));
  co_return done;
}

/// nullopt: the ticket was released. Otherwise the exchange is over, with run()'s result.
task<std::optional<bool>> exchange::enter_queue() {
  using result = std::optional<bool>;
  max_wait_ = settings_->cerebras.queue.max_wait;
  max_wait_ = std::min(max_wait_, client_limit().value_or(max_wait_));
  // Whoever comes while the provider is left alone is told so at once; whoever has been let in keeps its place.
  if (!a_.breaker_pass.admits(steady_now())) {
    auto const done = co_await refuse_for_breaker();
    co_return result(done);
  }
  auto const submitted = steady_now();
  auto const decided = a_.limiter.submit(ticket(), submitted);
  if (auto const* const no = std::get_if<refused>(&decided)) {
    auto const why = *no;
    auto const done = co_await refuse(why);
    co_return result(done);
  }
  if (auto const* const yes = std::get_if<go>(&decided)) {
    ticket_.emplace(a_.gate, yes->id);
    record_.cost = a_.limiter.cost_of(yes->id);
    a_.stats.record_wait(0, constraint::none);
    co_return result();
  }
  auto const& place = std::get<queued>(decided);
  if (place.held_by != constraint::paused) forecast_ = std::max(duration::zero(), place.expected - submitted);
  record_.held_by = place.held_by;
  ticket_.emplace(a_.gate, place.id);
  a_.gate.update();
  auto const over = co_await wait_for_release();
  co_return over;
}

task<std::optional<bool>> exchange::wait_for_release() {
  using result = std::optional<bool>;
  using kind = admission::result::what;
  auto const since = steady_now();
  auto const before = waited_;
  auto next_comment = comments() ? since + *settings_->cerebras.queue.keepalive_after : time_point::max();
  c_.where = phase::queued;
  // Whoever comes (back) to the queue during shutdown is refused like those whom it met there.
  if (a_.draining) c_.ctl.fire(interruption::draining);
  for (;;) {
    auto const woken = co_await a_.gate.wait(ticket_->id(), next_comment, c_.ctl);
    auto const now = steady_now();
    waited_ = before + (now - since);
    record_.waited = seconds_of(waited_);
    if (woken.kind == kind::still_waiting) {
      next_comment = now + comment_interval;
      auto text = place_in_queue();
      auto const sent = co_await send_comment(std::move(text));
      if (sent) continue;
      c_.ctl.fire(interruption::client_gone);
      continue;
    }
    c_.where = phase::exchanging;
    record_.cost = a_.limiter.cost_of(ticket_->id());
    if (woken.kind == kind::released) {
      note_release();
      co_return result();
    }
    if (woken.kind == kind::refused) {
      auto const why = woken.why;
      auto const done = co_await refuse(why);
      co_return result(done);
    }
    auto const done = co_await gave_up_waiting();
    co_return result(done);
  }
}

/// The client left, or we are shutting down.
task<bool> exchange::gave_up_waiting() {
  if (ticket_ && record_.attempts == 0) ticket_->not_sent();
  if (c_.ctl.why() != interruption::draining) {
    ++a_.stats.clients_gone;
    co_return false;
  }
  c_.ctl.reset();
  refusal_details details;
  details.retry_after = std::chrono::seconds{5};
  auto const done = co_await refuse(reason::draining, std::move(details));
  co_return done;
}

task<bool> exchange::refuse_for_breaker() {
  auto const now = steady_now();
  refusal_details details;
  details.retry_after = a_.breaker.retry_at(now) - now;
  auto const done = co_await refuse(reason::circuit_open, std::move(details));
  co_return done;
}

/// Waits, with a ticket as long as that may, until the breaker allows an attempt. Results as of enter_queue.
task<std::optional<bool>> exchange::ask_breaker() {
  using result = std::optional<bool>;
  using answer = breaker_gate::answer;
  auto const since = steady_now();
  auto const until = ticket_ ? started_ + max_wait_ : since;
  auto const before = waited_;
  auto next_comment = ticket_ && comments() ? since + *settings_->cerebras.queue.keepalive_after : time_point::max();
  if (ticket_ && !a_.breaker_pass.admits(since)) {
    c_.where = phase::queued;
    if (a_.draining) c_.ctl.fire(interruption::draining);
  }
  for (;;) {
    auto const next = std::min(until, next_comment);
    auto const passage = co_await a_.breaker_pass.pass(next, c_.ctl);
    auto const got = passage.got;
    auto const now = steady_now();
    if (got != answer::no || now >= until) {
      c_.where = phase::exchanging;
      if (now - since >= shortest_wait) {
        waited_ = before + (now - since);
        record_.held_by = constraint::circuit_breaker;
      }
      record_.waited = seconds_of(waited_);
    }
    if (got == answer::yes || got == answer::trial) {
      allowed_ = passage.with;
      co_return result();
    }
    if (got == answer::interrupted) {
      auto const done = co_await gave_up_waiting();
      co_return result(done);
    }
    if (now >= until) {
      if (ticket_ && record_.attempts == 0) ticket_->not_sent();
      auto const done = co_await refuse_for_breaker();
      co_return result(done);
    }
    next_comment = now + comment_interval;
    auto text = place_in_queue();
    auto const sent = co_await send_comment(std::move(text));
    if (!sent) c_.ctl.fire(interruption::client_gone);
  }
}

/// The first comment commits the status: 200, an event stream.
task<bool> exchange::send_comment(std::string text) {
  std::string out;
  if (!committed_) {
    out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: "
        "chunked\r\n";
    http::append_field(out, "Via", a_.via);
    out += r_.cors;
    append_common_fields(out);
    if (wants_close()) http::append_field(out, "Connection", "close");
    out += "\r\n";
    committed_ = true;
    ++a_.stats.responses[200];
  }
  out += http::encode_chunk(text);
  auto const patience = settings_->server.body_timeout;
  auto const ec = co_await c_.write(out, patience);
  co_return !ec;
}

/// Ends the event stream that a comment began. False: its client is gone.
task<bool> exchange::end_with_event(std::string_view data) {
  auto framed = http::encode_chunk(fmt::format("data: {}\n\n", data));
  framed += http::last_chunk;
  auto const patience = settings_->server.body_timeout;
  auto const ec = co_await c_.write(framed, patience);
  co_return !ec;
}

/// Sends the request and reads the answer's head.
task<attempt_end> exchange::attempt(bool fresh) {
  attempt_end end;
  auto got = co_await a_.pool.acquire(c_.ctl, fresh);
  if (auto* const failure = std::get_if<connect_failure>(&got)) {
    end.kind = what::no_connection;
    if (failure->interrupted && c_.ctl.why() != interruption::timeout) end.kind = what::interrupted;
    end.certificate = failure->certificate;
    end.local = failure->local;
    end.message = std::move(failure->message);
    co_return end;
  }
  upstream_ = std::move(std::get<upstream_pool::connection_ptr>(got));
  // The connection is one of the settings of now; until the head is written, nothing that could change them is waited
  // for.
  auto const present = a_.settings();
  if (is_for_another_provider(r_, *present)) {
    a_.pool.give_back(std::move(upstream_));
    end.kind = what::not_for_it;
    co_return end;
  }
  auto const head = upstream_head(r_, *present, a_.via);
  ++record_.attempts;
  ++a_.stats.upstream_attempts;
  end.sent = true;
  auto const sent_at = steady_now();
  c_.ctl.set(settings_->cerebras.timeouts.first_byte);
  auto const failed = co_await upstream_->write(head, r_.body.view(), c_.ctl);
  if (failed && is_local(failed)) {
    c_.ctl.clear();
    end.local = failed;
    end.message = failed.message();
    co_return end;
  }
  // An upstream that answers early may close its reading side: its answer is still to be read.
  auto const most = std::max<std::size_t>(settings_->server.max_header_size, 64 * 1024);
  auto const answer = co_await read_response_head(*upstream_, r_.method, most, c_.ctl, head_bytes_, head_);
  c_.ctl.clear();
  upstream_time_ = steady_now() - sent_at;
  record_.upstream = seconds_of(upstream_time_);
  if (answer.kind == head_result::what::ok) a_.stats.upstream_seconds.record(record_.upstream);
  if (failed) upstream_->broken = true;
  switch (answer.kind) {
    case head_result::what::ok:
      end.kind = what::answered;
      break;
    case head_result::what::broken:
      end.kind = what::broken;
      if (is_local(answer.error)) end.local = answer.error;
      end.stale = !end.local && upstream_->reused && !answer.first_byte;
      if (end.stale) end.rested = sent_at - upstream_->idle_since;
      break;
    case head_result::what::unacceptable:
      end.kind = what::unacceptable;
      break;
    case head_result::what::timeout:
      end.kind = what::timeout;
      break;
    case head_result::what::interrupted:
      end.kind = what::interrupted;
      break;
  }
  end.message = answer.message;
  co_return end;
}

task<bool> exchange::pause(duration how_long) {
  steady_timer timer(a_.io);
  timer.expires_after(how_long);
  {
    interrupt::watching<steady_timer> const watched(c_.ctl, timer);
    if (!c_.ctl.fired()) co_await timer.async_wait(tok);
  }
  co_return !c_.ctl.fired();
}

/// What an attempt says about the provider's health, for everybody. Not what one client could bring about with an
/// unmetered request of its choice, not what is wrong here, and not that a kept connection was not there any more.
verdict_on_provider exchange::judge(const attempt_end& end) const {
  using verdict = verdict_on_provider;
  switch (end.kind) {
    case what::answered:
      if (!is_provider_failure(head_.status)) return verdict::well;
      break;
    case what::not_for_it:
    case what::interrupted:
      return verdict::none;
    case what::no_connection:
      return end.local ? verdict::none : verdict::failing;
    case what::broken:
      if (end.local || end.stale) return verdict::none;
      break;
    case what::unacceptable:
    case what::timeout:
      break;
  }
  return r_.metered ? verdict::failing : verdict::none;
}

void exchange::report(verdict_on_provider v) {
  auto const with = *std::exchange(allowed_, std::nullopt);
  switch (v) {
    case verdict_on_provider::well:
      a_.breaker_pass.succeeded(with);
      break;
    case verdict_on_provider::failing:
      a_.breaker_pass.failed(with);
      break;
    case verdict_on_provider::none:
      a_.breaker_pass.abandoned(with);
      break;
  }
}

void exchange::note_failure(const attempt_end& end) {
  if (end.stale) {
    a_.log.debug(fmt::format("request {}: a kept connection was gone: {}", r_.id, end.message));
    return;
  }
  if (!end.local) ++a_.stats.upstream_failures;
  a_.log.warn(fmt::format("request {}: {}: {}", r_.id, end.local ? "this machine" : "upstream", end.message));
}

/// The client's head for the upstream's answer.
std::string exchange::client_head(bool keep_alive, std::optional<std::size_t> length) {
  std::string out;
  out.reserve(head_bytes_.size() + 512);
  out.append("HTTP/1.1 ").append(std::to_string(head_.status)).append(" ");
  out.append(head_.reason).append("\r\n");
  http::nominations const nominated(head_.fields);
  for (auto const& f : head_.fields) {
    if (http::is_hop_by_hop(f.name) || is_own(f.name) || nominated.contains(f.name)) continue;
    // Which pages may read answers is not the provider's to say: they are made with our key.
    if (istarts_with(f.name, "access-control-")) continue;
    // A 204 has no body whatever it says (RFC 9110 §8.6); a client that believed it would wait for one.
    bool const no_length = length || head_.status == 204 || head_.body.how == http::body_framing::kind::chunked;
    if (no_length && iequals(f.name, "content-length")) continue;
    http::append_field(out, f.name, f.value);
  }
  if (length) http::append_field(out, "Content-Length", *length);
  http::append_field(out, "Via", a_.via);
  out += r_.cors;
  append_common_fields(out);
  if (!keep_alive) {
    http::append_field(out, "Connection", "close");
  } else if (!r_.http11) {
    http::append_field(out, "Connection", "keep-alive");
  }
  return out;
}

/// A buffered answer of the upstream: a 429 that was looked into and is passed on.
task<bool> exchange::answer_with(std::string body) {
  record_.status = head_.status;
  if (committed_) {
    auto const data = http::answer_as_event(body, head_.status);
    auto const sent = co_await end_with_event(data);
    co_return sent && !wants_close();
  }
  ++a_.stats.responses[head_.status];
  bool const keep = !wants_close();
  auto head = client_head(keep, body.size());
  head += "\r\n";
  std::vector<asio::const_buffer> buffers{asio::buffer(head), asio::buffer(body)};
  auto const patience = settings_->server.body_timeout;
  auto const ec = co_await c_.write(buffers, patience);
  co_return !ec && keep;
}

/// A 429: nullopt: the ticket was released again, make another attempt.
task<std::optional<bool>> exchange::handle_429() {
  using result = std::optional<bool>;
  std::string body;
  auto const patience = settings_->cerebras.timeouts.idle;
  auto const whole = co_await read_whole_body(*upstream_, head_.body, largest_error_body, patience, c_.ctl, body);
  if (c_.ctl.why() == interruption::client_gone) {
    ++a_.stats.clients_gone;
    co_return result(false);
  }
  c_.ctl.reset();
  if (whole && head_.keep_alive && !upstream_->broken) a_.pool.give_back(std::move(upstream_));
  upstream_.reset();
  auto const texts = http::read_error(body);
  answer a;
  a.status = head_.status;
  a.headers = head_.fields;
  a.error = {.message = texts.message, .type = texts.type, .code = texts.code};
  auto const seen = a_.limiter.observe(ticket_->id(), a, steady_now(), wall_now());
  a_.complain_once(seen.header_problem);
  if (seen.what == verdict::queue_again) {
    a_.gate.update();
    if (auto const again = a_.limiter.standing_of(ticket_->id(), steady_now())) record_.held_by = again->held_by;
    auto const over = co_await wait_for_release();
    co_return over;
  }
  ticket_->settle(0, std::nullopt);
  if (seen.what == verdict::refuse) {
    auto const why = *seen.refusal;
    auto const done = co_await refuse(why);
    co_return result(done);
  }
  if (!whole) {
    // With a length of its own, what came of it would look complete.
    ++a_.stats.answers_cut;
    refusal_details details;
    details.retry_after = retry_after_of(head_.fields, wall_now()).value_or(std::chrono::seconds{1});
    auto const done = co_await refuse(reason::upstream_unavailable, std::move(details));
    co_return result(done);
  }
  auto const done = co_await answer_with(std::move(body));
  co_return result(done);
}

/// The client already reads an event stream: an answer that is none becomes an event of it.
task<relay_end> exchange::relay_as_event(http::usage_reader* usage) {
  std::string body;
  auto const patience = settings_->cerebras.timeouts.idle;
  auto const whole = co_await read_whole_body(*upstream_, head_.body, largest_error_body, patience, c_.ctl, body);
  if (c_.ctl.why() == interruption::client_gone) co_return relay_end::client_gone;
  if (!whole) co_return body.size() > largest_error_body ? relay_end::too_large : relay_end::upstream_cut;
  if (usage) usage->feed(body);
  auto const data = http::answer_as_event(body, head_.status);
  auto const sent = co_await end_with_event(data);
  co_return sent ? relay_end::complete : relay_end::client_gone;
}

/// Passes the answer on. True: the client's connection can carry another request.
task<bool> exchange::relay_answer() {
  bool const success = head_.status >= 200 && head_.status < 300;
  r_.sent_for_good();
  if (r_.metered) {
    answer a;
    a.status = head_.status;
    a.headers = head_.fields;
    auto const seen = a_.limiter.observe(ticket_->id(), a, steady_now(), wall_now());
    a_.complain_once(seen.header_problem);
    a_.gate.update();
  }
  record_.status = head_.status;
  auto const out = committed_ ? outgoing::chunked : framing_for(head_, r_);
  bool keep = !wants_close() && out != outgoing::until_close;
  std::string head;
  if (!committed_) {
    ++a_.stats.responses[head_.status];
    head = client_head(keep, std::nullopt);
    if (out == outgoing::chunked) http::append_field(head, "Transfer-Encoding", "chunked");
    head += "\r\n";
  }
  std::optional<http::usage_reader> usage;
  if (r_.metered && success) usage.emplace();
  auto* const reader = usage ? &*usage : nullptr;
  auto end = relay_end::complete;
  if (committed_ && !is_plain_event_stream(head_)) {
    end = co_await relay_as_event(reader);
  } else {
    end = co_await relay_body(c_, *upstream_, *settings_, head_.body, out, head, reader);
  }
  // However it ended: a refused request costs nothing, and a failed one no more than its input.
  if (ticket_ && !success && head_.status < 500) ticket_->settle(0, std::nullopt);
  // If no usage comes, what was relayed tells.
  if (ticket_) ticket_->relayed(usage ? usage->tokens_so_far() : 0);
  switch (end) {
    case relay_end::complete:
      break;
    case relay_end::client_gone:
      ++a_.stats.clients_gone;
      record_.complete = false;
      co_return false;
    case relay_end::upstream_cut:
    case relay_end::too_large:
      ++a_.stats.answers_cut;
      record_.complete = false;
      a_.log.warn(fmt::format("request {}: the provider's answer {}", r_.id,
                              end == relay_end::upstream_cut ? "broke off" : "is larger than one event may be"));
      // Without a length or a last chunk to miss, only a reset tells the client.
      c_.abort();
      co_return false;
  }
  if (usage) {
    auto const used = usage->finish();
    if (used) {
      auto const total = used->total_tokens > 0 ? used->total_tokens : used->prompt_tokens + used->completion_tokens;
      record_.tokens = total;
      a_.stats.record_estimate(record_.cost, static_cast<double>(total));
      a_.stats.prompt_tokens += used->prompt_tokens;
      a_.stats.completion_tokens += used->completion_tokens;
      a_.stats.cached_tokens += used->cached_tokens;
      ticket_->settle(total, used->prompt_tokens, used->cached_tokens);
    }
  }
  ticket_.reset();
  if (head_.keep_alive && !upstream_->broken) a_.pool.give_back(std::move(upstream_));
  co_return keep;
}

/// The attempt was the last.
task<bool> exchange::refuse_after(const attempt_end& end) {
  upstream_.reset();
  if (ticket_ && record_.attempts == 0) ticket_->not_sent();
  auto why = reason::upstream_unavailable;
  if (end.local) why = reason::local_failure;
  if (end.certificate) why = reason::upstream_tls_error;
  if (end.kind == what::unacceptable) why = reason::upstream_protocol_error;
  if (end.kind == what::timeout) why = reason::upstream_timeout;
  if (end.kind == what::not_for_it) why = reason::provider_changed;
  refusal_details details;
  if (end.local) details.explanation = end.local.message() + ".";
  if (why == reason::upstream_unavailable || why == reason::local_failure || why == reason::provider_changed)
    details.retry_after = std::chrono::seconds{1};
  auto const done = co_await refuse(why, std::move(details));
  co_return done;
}

task<bool> exchange::run() {
  if (r_.metered) {
    facts_ = http::inspect_body(r_.body.view(), r_.body.capacity(), r_.identity_body);
    record_.model = facts_.model;
  }
  c_.watch.arm();
  c_.where = phase::exchanging;
  if (r_.metered) {
    auto const over = co_await enter_queue();
    if (over) co_return *over;
  }
  bool fresh = false;
  for (;;) {
    auto const held = co_await ask_breaker();
    if (held) co_return *held;
    bool const trial = allowed_ && allowed_->trial;
    auto const end = co_await attempt(fresh);
    if (end.kind == what::interrupted) {
      if (ticket_ && record_.attempts == 0) ticket_->not_sent();
      ++a_.stats.clients_gone;
      co_return false;
    }
    report(judge(end));
    if (end.kind == what::not_for_it) {
      auto const done = co_await refuse_after(end);
      co_return done;
    }
    attempt_facts f;
    f.metered = r_.metered;
    f.method = r_.method;
    f.repeats = repeats_;
    f.allowed = settings_->cerebras.retries;
    f.certificate = end.certificate;
    f.sent = end.sent;
    f.stale = end.stale;
    f.rested = end.rested;
    if (end.kind == what::answered) {
      if (head_.status == 429 && r_.metered) {
        auto const over = co_await handle_429();
        if (over) co_return *over;
        continue;
      }
      f.status = head_.status;
      f.retry_after = retry_after_of(head_.fields, wall_now());
    } else {
      note_failure(end);
      c_.ctl.reset();
      // It only went to see whether somebody is there; nobody is, and it waits on like the others.
      bool const nobody_there = ticket_ && end.kind == what::no_connection && !end.certificate && !end.local;
      if (nobody_there && trial) continue;
      // Who has queued until the provider went away waits for it, too: until the breaker opens, and then with the rest.
      bool const has_queued = waited_ > duration::zero() && steady_now() < started_ + max_wait_;
      if (nobody_there && has_queued && settings_->cerebras.circuit_breaker.failure_threshold > 0) {
        auto const still_here = co_await pause(after_no_connection);
        if (still_here) continue;
        if (record_.attempts == 0) ticket_->not_sent();
        ++a_.stats.clients_gone;
        co_return false;
      }
    }
    // A timeout is not repeated: the first attempt may still be generating, and charged.
    auto const again = end.kind == what::timeout ? std::nullopt : retry_pause(f);
    if (again) {
      upstream_.reset();
      if (!end.stale) {
        ++repeats_;
        ++a_.stats.upstream_retries;
      }
      fresh = true;
      auto const still_here = co_await pause(*again);
      if (still_here) continue;
      ++a_.stats.clients_gone;
      co_return false;
    }
    if (end.kind == what::answered) {
      auto const keep = co_await relay_answer();
      co_return keep;
    }
    auto const done = co_await refuse_after(end);
    co_return done;
  }
}

}  // namespace

task<bool> run_exchange(client_connection& c, request& r) {
  exchange x(c, r);
  auto const keep = co_await x.run();
  co_return keep;
}

}  // namespace cooldown::net
