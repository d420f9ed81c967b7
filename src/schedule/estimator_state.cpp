// What is known of costs, kept over a restart.
#include <algorithm>
#include <cmath>

#include "cooldown/schedule/cost_estimator.hpp"
#include "cooldown/schedule/use_average.hpp"

namespace cooldown {
namespace {

constexpr double most_tokens = 1e12;
constexpr double most_ratio = 100'000;  // tokens of an image
constexpr double most_observations = 1e15;
constexpr unsigned enough_uses = 1'000'000;  // beyond, one more or less is the same
constexpr duration longest_memory = std::chrono::hours{25};

std::optional<double> tokens_in(std::optional<double> x, learned_reader& read) {
  return x ? std::optional{read.number(*x, 1, most_tokens)} : std::nullopt;
}

}  // namespace

void input_estimator::save(learned_costs& into) const {
  static_assert(std::tuple_size_v<decltype(into.inputs)> == part_count);
  std::transform(parts_.begin(), parts_.end(), into.inputs.begin(),
                 [](const part& p) { return learned_input{.ratio = p.ratio, .least = p.least, .seen = p.seen}; });
  into.inputs_observed = observations_;
}

void input_estimator::restore(const learned_costs& s) {
  learned_reader read({});
  input_estimator e;
  std::transform(s.inputs.begin(), s.inputs.end(), e.parts_.begin(), [&](const learned_input& p) {
    return part{.ratio = read.number(p.ratio, 1e-6, most_ratio),
                .least = read.number(p.least, 1e-6, most_ratio),
                .seen = read.number(p.seen, 0, most_observations)};
  });
  e.observations_ = read.number(s.inputs_observed, 0, most_observations);
  if (read.sane()) *this = e;
}

learned_output output_estimator::save(time_point now) const {
  return {.missing_maximum = default_,
          .missing_maximum_seen = default_seen_,
          .missing_maximum_until = age_of(default_until_, now),
          .cap = cap_,
          .cap_until = age_of(cap_until_, now),
          .cap_from = cap_from_,
          .cap_to = cap_to_,
          .cap_supported = supported_,
          .doubts = doubts_,
          .charged_until = age_of(charged_until_, now)};
}

void output_estimator::restore(const learned_output& s, time_point saved) {
  learned_reader read(saved);
  output_estimator e;
  e.default_ = tokens_in(s.missing_maximum, read);
  e.default_seen_ = read.number(s.missing_maximum_seen, 0, most_tokens);
  e.default_until_ = read.moment(s.missing_maximum_until, longest_memory);
  e.cap_ = tokens_in(s.cap, read);
  e.cap_until_ = read.moment(s.cap_until, longest_memory);
  e.cap_from_ = read.number(s.cap_from, 0, most_tokens);
  e.cap_to_ = read.number(s.cap_to, 0, most_tokens);
  e.supported_ = s.cap_supported;
  e.doubts_ = read.count(s.doubts, 1'000'000);
  e.charged_until_ = read.moment(s.charged_until, longest_memory);
  if (read.sane()) *this = e;
}

learned_costs cost_estimator::save(time_point now) const {
  learned_costs s;
  input_.save(s);
  s.output = output_.save(now);
  s.use_share = use_share_;
  s.uses = uses_;
  return s;
}

void cost_estimator::restore(const learned_costs& s, time_point saved) {
  input_.restore(s);
  output_.restore(s.output, saved);
  learned_reader read(saved);
  double const share = read.number(s.use_share, 0, 2);
  if (!read.sane()) return;
  use_share_ = share;
  uses_ = std::min<std::uint64_t>(s.uses, enough_uses);
}

learned_use use_average::save() const {
  return {.share = share_,
          .mean = mean_,
          .share_error = share_error_,
          .mean_error = mean_error_,
          .largest = largest_,
          .seen = seen_};
}

void use_average::restore(const learned_use& s) {
  learned_reader read({});
  use_average u;
  u.share_ = read.number(s.share, 0, 2);
  u.mean_ = read.number(s.mean, 0, most_tokens);
  u.share_error_ = read.number(s.share_error, 0, most_tokens);
  u.mean_error_ = read.number(s.mean_error, 0, most_tokens);
  u.largest_ = read.number(s.largest, 0, most_tokens);
  u.seen_ = std::min(s.seen, enough_uses);
  if (read.sane()) *this = u;
}

}  // namespace cooldown
