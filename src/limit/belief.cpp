#include "cooldown/limit/belief.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace cooldown {
namespace {

using enum belief;
using enum evidence;

/// A set of beliefs.
class any_of {
 public:
  consteval any_of(std::initializer_list<belief> each) {
    for (auto const b : each) bits_ |= bit(b);
  }
  constexpr any_of operator|(any_of other) const { return any_of(bits_ | other.bits_); }
  constexpr bool contains(belief b) const { return (bits_ & bit(b)) != 0; }

 private:
  explicit constexpr any_of(std::uint32_t bits) : bits_{bits} {}
  static constexpr std::uint32_t bit(belief b) { return 1U << static_cast<unsigned>(b); }
  std::uint32_t bits_ = 0;
};

struct edge {
  any_of from;
  evidence seen;
  belief to;
};

constexpr any_of unproven_bucket{assumed_bucket, reassumed_bucket, announced_bucket};
constexpr any_of suspicion{suspected_window, resuspected_window};
constexpr any_of learned_bucket = unproven_bucket | any_of{proven_bucket};
constexpr any_of unproven_window = suspicion | any_of{announced_window};
constexpr any_of learned_window = unproven_window | any_of{doubted_window, proven_window};
constexpr any_of learned_sliding{suspected_sliding, proven_sliding};
constexpr any_of learned = learned_bucket | learned_window | learned_sliding;
constexpr any_of pinned{pinned_bucket, pinned_window, pinned_sliding};
constexpr any_of all = learned | pinned;

// The drawing in docs/model.md, line by line.
constexpr edge edges[] = {
    // Resets that are sent.
    {{assumed_bucket, reassumed_bucket}, reset_sent, announced_bucket},
    {suspicion, reset_sent, announced_window},
    {{doubted_window}, reset_sent, proven_window},
    {{announced_bucket, proven_bucket}, resets_fit_window, announced_window},
    {learned, resets_fit_bucket, proven_bucket},
    {{announced_window, proven_window}, resets_stand_still, doubted_window},
    // What headers show while it is used.
    {learned, refill_seen, proven_bucket},
    {{assumed_bucket}, no_refill_seen, suspected_window},
    {{reassumed_bucket}, no_refill_seen, resuspected_window},
    {learned_sliding, more_than_log, reassumed_bucket},
    // Refusals where the model saw room.
    {{assumed_bucket}, refused_with_room, suspected_window},
    {{reassumed_bucket}, refused_with_room, resuspected_window},
    {{announced_bucket}, refused_with_room, announced_window},
    {{assumed_bucket}, refused_beyond_log, suspected_sliding},
    {{reassumed_bucket}, refused_beyond_log, resuspected_window},
    {{doubted_window, proven_window}, refused_beyond_log, suspected_sliding},
    {{proven_bucket, reassumed_bucket}, refused_like_log, suspected_sliding},
    {learned_sliding, refused_in_a_row, assumed_bucket},
    {{suspected_sliding}, suspicion_expired, assumed_bucket},
    // What is there at a window's end.
    {unproven_window, end_full, proven_window},
    {learned_window, end_like_log, proven_sliding},
    {suspicion, end_like_bucket, proven_bucket},
    {{suspected_window}, end_undecided, reassumed_bucket},
    {{resuspected_window}, end_undecided, doubted_window},
    {suspicion, end_empty, proven_sliding},
    {suspicion, end_empty_no_log, proven_bucket},
    {{suspected_window, doubted_window}, end_short, reassumed_bucket},
    {{resuspected_window}, end_short, proven_bucket},
    // Where no header shows the level.
    {unproven_bucket, admitted_unshown, proven_bucket},
    {unproven_window, admitted_unshown, proven_window},
    {{proven_window, suspected_sliding, proven_sliding}, refused_unshown, assumed_bucket},
    {learned_bucket, back_at_once, proven_window},
    {learned_bucket, back_like_log, proven_sliding},
    // The configuration.
    {all, configured_bucket, pinned_bucket},
    {all, configured_window, pinned_window},
    {all, configured_sliding, pinned_sliding},
    {{pinned_bucket}, configured_to_learn, proven_bucket},
    {{pinned_window}, configured_to_learn, proven_window},
    {{pinned_sliding}, configured_to_learn, proven_sliding},
};

constexpr const char* belief_names[] = {"assumed_bucket",   "reassumed_bucket",  "announced_bucket",   "proven_bucket",
                                        "announced_window", "suspected_window",  "resuspected_window", "doubted_window",
                                        "proven_window",    "suspected_sliding", "proven_sliding",     "pinned_bucket",
                                        "pinned_window",    "pinned_sliding"};
static_assert(std::size(belief_names) == belief_count);

constexpr const char* evidence_names[] = {
    "reset_sent",         "resets_fit_bucket",  "resets_fit_window",  "resets_stand_still", "refill_seen",
    "no_refill_seen",     "refused_with_room",  "refused_beyond_log", "refused_like_log",   "refused_in_a_row",
    "refused_unshown",    "admitted_unshown",   "back_at_once",       "back_like_log",      "more_than_log",
    "suspicion_expired",  "end_full",           "end_like_log",       "end_like_bucket",    "end_undecided",
    "end_empty",          "end_empty_no_log",   "end_short",          "configured_bucket",  "configured_window",
    "configured_sliding", "configured_to_learn"};
static_assert(std::size(evidence_names) == evidence_count);

}  // namespace

belief on(belief b, evidence e) {
  auto const found = std::ranges::find_if(edges, [&](auto const& x) { return x.seen == e && x.from.contains(b); });
  return found == std::end(edges) ? b : found->to;
}

refill model_of(belief b) {
  if (b == pinned_bucket || learned_bucket.contains(b)) return refill::continuous;
  return b == pinned_window || learned_window.contains(b) ? refill::window : refill::sliding;
}

bool is_proven(belief b) {
  return !unproven_bucket.contains(b) && !unproven_window.contains(b) && b != suspected_sliding;
}

bool is_pinned(belief b) {
  return pinned.contains(b);
}

bool is_suspected_window(belief b) {
  return suspicion.contains(b);
}

const char* name_of(belief b) {
  return belief_names[static_cast<std::size_t>(b)];
}

const char* name_of(evidence e) {
  return evidence_names[static_cast<std::size_t>(e)];
}

}  // namespace cooldown
