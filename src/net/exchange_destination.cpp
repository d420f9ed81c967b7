#include <utility>

#include <fmt/format.h>

#include "cooldown/http/conversation.hpp"
#include "cooldown/http/model_name.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/text/delay_text.hpp"

#include "exchange_actor.hpp"

namespace cooldown::net {
namespace {

// Forecasts of two destinations may each take the other one for the sooner: nobody is sent to and fro between them.
constexpr duration between_moves = std::chrono::milliseconds{100};

}  // namespace

void exchange::find_way() {
  std::uint64_t prefix = 0;
  if (all_.sticky() && facts_.parsed && r_.coding == http::content_coding::identity)
    if (auto const opening = http::conversation_opening(r_.body.view()); !opening.empty())
      prefix = c_.port.hash_of(std::to_string(r_.key), facts_.model, opening);
  for (auto const& d : all_.all()) seen_.names.see(d->id(), [&] { return d->name(); });
  way_ = std::make_unique<itinerary>(all_, r_, facts_, prefix);
}

void exchange::goes_to(destination_ptr at) {
  at_->bound_in_flight();
  at_ = std::move(at);
  record_.goes_to(at_);
  if (at_->id() != 0 && at_->upstream_of_now()->takes_client_keys())
    seen_.names.see(record_.credential(), [&] { return at_->name() + ", " + seen_.names.of(r_.key); });
  auto const& of = *at_->upstream_of_now()->of;
  plan_.goes_to(of.retries, of.circuit_breaker.failure_threshold > 0);
}

itinerary::choice exchange::choose() {
  auto answer = way_->choose(facts_of_ticket(), at_, ticket(), record_.started(), steady_now());
  ask_again_ = answer.ask_again;
  return answer;
}

/// Whether it is better served at another destination once this one has failed it.
bool exchange::may_go_elsewhere() {
  last_reserve const whole;
  if (!all_.rules().next_on_failure && !at_->retired()) return false;
  auto const answer = way_->choose_without(at_, facts_of_ticket(), record_.started(), steady_now());
  return answer.to != at_ && (answer.serves || at_->retired());
}

/// The destination does not serve the request: another one will.
exchange_step exchange::move(const exchange_step& step) {
  last_reserve const whole;
  permission_.report(verdict_on_provider::none);
  attempt_.drop();
  if (ticket_ && step.unsent) ticket_->not_sent();
  if (ticket_ && step.uncharged) ticket_->settle(0, std::nullopt);
  ticket_.reset();
  way_->failed(at_);
  auto const from = at_;
  goes_to(choose().to);
  seen_.log.debug(fmt::format("request {}: from {} to {}", r_.id, from->name(), at_->name()));
  return submit();
}

/// A waiting ticket may have a shorter wait elsewhere. nullopt: it stays.
std::optional<exchange_step> exchange::moved_while_waiting() {
  ask_again_ = time_point::max();
  if (!way_) return std::nullopt;
  last_reserve const whole;
  auto const now = steady_now();
  if (!at_->limiter.standing_of(ticket(), now)) return std::nullopt;  // it is released
  if (now < moved_at_ + between_moves) {
    ask_again_ = moved_at_ + between_moves;
    return std::nullopt;
  }
  auto const answer = choose();
  if (answer.to == at_) return std::nullopt;
  at_->limiter.identify(ticket(), 0);  // its request has not ended: nobody takes over its arrival
  ticket_.reset();
  moved_at_ = now;
  goes_to(answer.to);
  return submit();
}

/// A key that the provider refuses is set aside, and one that it takes is not any more.
void exchange::note_key(attempt_end& end) {
  constexpr unsigned unauthorized = 401, payment_required = 402;
  if (!way_ || end.kind != attempt_end::what::answered || to_->key.empty()) return;
  if (to_->key != at_->upstream_of_now()->key) return;  // a reload has replaced it
  end.key_refused = end.status == unauthorized || end.status == payment_required;
  if (end.status >= 200 && end.status < 300) at_->accepted();
  if (end.key_refused) set_aside(fmt::format("refuses its key with status {}", end.status));
}

void exchange::set_aside(std::string_view why) {
  if (at_->set_aside(steady_now()))
    seen_.log.warn(fmt::format("{} {}: it is set aside, and tried again in {}", at_->name(), why,
                               delay_in_words(destination::set_aside_for)));
}

/// The body for the destination: with the model's name there.
std::string_view exchange::body_there() {
  if (!r_.metered || to_->of->models.empty()) return r_.body.view();
  auto const name = to_->of->name_here(facts_.model);
  // Where it is repeated, the upstream may take another one than the last.
  if (!name || (*name == facts_.model && !facts_.model_repeated)) return r_.body.view();
  auto renamed = http::with_model(r_.body.view(), r_.body.capacity(), *name);
  if (!renamed) return r_.body.view();
  renamed_ = std::move(*renamed);
  return renamed_;
}

}  // namespace cooldown::net
