#include "cooldown/schedule/concurrency.hpp"

namespace cooldown {
namespace {

constexpr unsigned most_at_once = 1'000'000;
constexpr duration longest_answer = std::chrono::hours{24};

unsigned as_count(std::size_t n) {
  return static_cast<unsigned>(std::min<std::size_t>(n, most_at_once));
}

}  // namespace

/// Not what single requests met: what follows tells that anew.
learned_concurrency concurrency::save(time_point now) const {
  return {.limit = as_count(limit_),
          .proven = as_count(proven_),
          .step = as_count(step_),
          .failed_steps = failed_steps_,
          .luck = luck_,
          .changed_at = age_of(changed_at_, now),
          .refused_at = age_of(refused_at_, now),
          .answer_time = answer_time_,
          .refusal_time = refusal_time_};
}

void concurrency::restore(const learned_concurrency& s, time_point saved) {
  learned_reader read(saved);
  concurrency c;
  c.limit_ = read.count(s.limit, most_at_once);
  c.proven_ = read.count(s.proven, s.limit);
  c.step_ = std::max(1U, read.count(s.step, most_at_once));
  c.failed_steps_ = read.count(s.failed_steps, 16);
  c.luck_ = read.number(s.luck, 0, 1);
  c.changed_at_ = read.past(s.changed_at);
  c.refused_at_ = read.past(s.refused_at);
  c.answer_time_ = read.length(s.answer_time, longest_answer);
  c.refusal_time_ = read.length(s.refusal_time, longest_answer);
  if (read.sane()) *this = c;
}

}  // namespace cooldown
