#include "cooldown/net/itinerary.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "cooldown/http/model_name.hpp"
#include "cooldown/schedule/offers.hpp"

namespace cooldown::net {
namespace {

/// Survives reloads, unlike its place.
std::uint64_t id_of(const destination& d) {
  return std::hash<std::string>{}(d.name());
}

}  // namespace

scope_name scope_at(const destination& d, const request& r, std::string_view model) {
  auto const& to = *d.upstream_of_now();
  return {(to.takes_client_keys() ? r.key : 0) ^ d.id(), to.of->name_here(model).value_or(model)};
}

itinerary::itinerary(upstreams& all, const request& r, const http::body_facts& facts, std::uint64_t prefix)
    : all_(all), r_(r), facts_(facts), prefix_(prefix) {}

bool itinerary::can_rename() const {
  if (!can_rename_)
    can_rename_ = facts_.parsed && r_.coding == http::content_coding::identity &&
                  http::with_model(r_.body.view(), r_.body.capacity(), "").has_value();
  return *can_rename_;
}

bool itinerary::serves(const destination& d) const {
  auto const& of = *d.upstream_of_now()->of;
  auto const name = of.name_here(facts_.model);
  if (!name) return false;
  bool const unchanged = of.models.empty() || (*name == facts_.model && !facts_.model_repeated);
  return of.base_url.contains(r_.target) && (unchanged || can_rename());
}

/// What no upstream is said to serve is for the first one to refuse.
std::vector<destination_ptr> itinerary::candidates(const destination_ptr& here) const {
  std::vector<destination_ptr> out;
  for (auto const& d : all_.all())
    if (serves(*d)) out.push_back(d);
  if (out.empty()) out.push_back(here && !here->retired() ? here : all_.first());
  return out;
}

void itinerary::backs_off(const destination& at, time_point until) {
  not_before_[at.name()] = until;
  ++refusals_;
}

ticket_facts itinerary::facts_at(const destination& d, ticket_facts facts) const {
  facts.scope = scope_at(d, r_, facts_.model);
  facts.refused_before = refusals_;
  auto const refused_here = not_before_.find(d.name());
  facts.not_before = refused_here == not_before_.end() ? time_point{} : refused_here->second;
  return facts;
}

std::optional<std::size_t> itinerary::cached_at(const std::vector<destination_ptr>& all, time_point now) const {
  auto const known = prefix_ != 0 ? all_.sent.find(prefix_, now) : std::nullopt;
  if (!known) return std::nullopt;
  auto const found =
      std::find_if(all.begin(), all.end(), [&](const destination_ptr& d) { return id_of(*d) == *known; });
  return found == all.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - all.begin()));
}

itinerary::choice itinerary::choose(const ticket_facts& facts, const destination_ptr& here, ticket_id id,
                                    time_point since, time_point now) {
  auto const all = candidates(here);
  std::vector<offer> offers;
  std::map<const config::upstream_settings*, std::size_t> numbers;
  std::optional<std::size_t> waits_at;
  for (auto const& d : all) {
    bool const waits_here = id != 0 && d == here;
    if (waits_here) waits_at = offers.size();
    bool const has_failed = std::find(failed_.begin(), failed_.end(), d) != failed_.end();
    auto const number = numbers.try_emplace(d->upstream_of_now()->of, numbers.size()).first->second;
    offers.push_back({.upstream = number,
                      .usable = !has_failed && d->is_usable(now),
                      .wait = waits_here ? wait_at(d->limiter, id, now) : wait_at(d->limiter, facts_at(*d, facts), now),
                      .last_used = d->last_used});
  }
  auto const chosen = cooldown::choose(
      all_.rules(), {.offers = offers, .waits_at = waits_at, .waited = now - since, .cached_at = cached_at(all, now)});
  auto const& o = offers[chosen.to];
  return {all[chosen.to], chosen.ask_again ? now + *chosen.ask_again : time_point::max(), o.usable && o.wait};
}

itinerary::choice itinerary::choose_without(const destination_ptr& at, const ticket_facts& facts, time_point since,
                                            time_point now) {
  failed_.push_back(at);
  auto chosen = choose(facts, at, 0, since, now);
  failed_.pop_back();
  return chosen;
}

void itinerary::remember(const destination& at, time_point now) {
  if (prefix_ != 0) all_.sent.remember(prefix_, id_of(at), now);
}

std::optional<duration> itinerary::earliest(const ticket_facts& facts, std::optional<duration> retry_after,
                                            time_point now) {
  auto sooner = [&](std::optional<duration> other) {
    if (other && (!retry_after || *other < *retry_after)) retry_after = other;
  };
  for (auto const& d : candidates(nullptr)) {
    auto const seen = d->limiter.foresee(facts_at(*d, facts), now);
    auto const* const no = std::get_if<refused>(&seen);
    auto const wait = no ? no->retry_after : wait_of(std::get<standing>(seen), now);
    if (wait) sooner(std::max(*wait, d->usable_at(now) - now));
  }
  return retry_after;
}

}  // namespace cooldown::net
