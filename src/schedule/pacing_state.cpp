#include "cooldown/schedule/pacing.hpp"

namespace cooldown {
namespace {

// Pauses are about a day at most, and a silence is no longer.
constexpr duration longest_pause = std::chrono::hours{25};
constexpr unsigned most_rounds = 1'000;
constexpr duration most_spacing = std::chrono::seconds{10};

}  // namespace

learned_pacing pacing::save(time_point now) const {
  return {.last_release = age_of(last_release_, now),
          .last_heard = age_of(last_heard_, now),
          .last_refusal = age_of(last_refusal_, now),
          .last_burst = age_of(last_burst_, now),
          .refused_probes = refused_probes_,
          .rounds = rounds_,
          .backed_off_until = age_of(backed_off_until_, now),
          .hold_until = age_of(hold_until_, now),
          .hold_set = age_of(hold_set_, now),
          .cautious = cautious_,
          .capacity_rounds = capacity_rounds_,
          .round_until = age_of(round_until_, now),
          .capacity_until = age_of(capacity_until_, now),
          .capacity_word = age_of(capacity_word_, now),
          .spacing = spacing_};
}

void pacing::restore(const learned_pacing& s, time_point saved) {
  learned_reader read(saved);
  pacing p;
  p.last_release_ = read.past(s.last_release);
  p.last_heard_ = read.past(s.last_heard);
  p.last_refusal_ = read.past(s.last_refusal);
  p.last_burst_ = read.past(s.last_burst);
  p.refused_probes_ = read.count(s.refused_probes, most_rounds);
  p.rounds_ = read.count(s.rounds, most_rounds);
  p.backed_off_until_ = read.moment(s.backed_off_until, longest_pause);
  p.hold_until_ = read.moment(s.hold_until, longest_pause);
  p.hold_set_ = read.past(s.hold_set);
  p.cautious_ = s.cautious;
  p.capacity_rounds_ = read.count(s.capacity_rounds, most_rounds);
  p.round_until_ = read.moment(s.round_until, longest_pause);
  p.capacity_until_ = read.moment(s.capacity_until, longest_pause);
  p.capacity_word_ = read.moment(s.capacity_word, longest_pause);
  p.spacing_ = read.length(s.spacing, most_spacing);
  if (read.sane()) *this = p;
}

}  // namespace cooldown
