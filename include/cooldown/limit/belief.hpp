// What is believed of how a limit refills, and what changes it: one pure function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cooldown/limit/refill.hpp"

namespace cooldown {

/// What is believed of a refill, and what stands behind it. docs/model.md draws how one follows from another.
enum class belief : std::uint8_t {
  assumed_bucket,      // nothing has spoken for or against it
  reassumed_bucket,    // a suspicion came to nothing; the next one is a window, and its end decides
  announced_bucket,    // resets are sent, and each may be the time until it is full
  proven_bucket,       //
  announced_window,    // resets are sent, and they are not the time until it is full
  suspected_window,    // nothing seems to come back before the end
  resuspected_window,  // the same, once more
  doubted_window,      // twice its end did not differ from a bucket's: tested now and then
  proven_window,       //
  suspected_sliding,   // on the word of one refusal
  proven_sliding,      //
  pinned_bucket,       // configured; nothing moves these three
  pinned_window,       //
  pinned_sliding,      //
};
constexpr std::size_t belief_count = 14;

/// What is observed. Whoever sends one has weighed it: each is clear enough to act on.
enum class evidence : std::uint8_t {
  reset_sent,           // a header tells when it resets
  resets_fit_bucket,    // most resets equal the time until a bucket is full
  resets_fit_window,    // none of the latest does
  refill_seen,          // headers show that it comes back by and by
  no_refill_seen,       // headers show that nothing does
  refused_with_room,    // a bucket would have had room for what was refused
  refused_beyond_log,   // the same, and a sliding log would not
  refused_in_a_row,     // refusals in windows on end that a sliding log does not explain
  refused_unshown,      // its model saw room, and no header shows the level
  admitted_unshown,     // used up, and there is some again; no header shows the level
  more_than_log,        // a header shows more than has left a sliding log
  suspicion_expired,    // nothing has proven it for long
  end_full,             // at a window's end everything is there
  end_like_log,         // what has left the log is there
  end_like_bucket,      // what a bucket would have is there
  end_undecided,        // everything is there, as in a bucket
  end_empty,            // nothing is there, a whole window after the suspicion
  configured_bucket,    // the configuration says so
  configured_window,    //
  configured_sliding,   //
  configured_to_learn,  // the configuration leaves it open again
};
constexpr std::size_t evidence_count = 21;

/// What is believed after `e` was observed. Most evidence says nothing about most beliefs: they stay.
belief on(belief b, evidence e);

/// How the level moves with time, by this belief.
refill model_of(belief b);

/// True once headers, refusals or the configuration stand behind it.
bool is_proven(belief b);

/// True when the configuration says it, so that nothing is to be learned.
bool is_pinned(belief b);

/// True while the end of a window is still to say what it was.
bool is_suspected_window(belief b);

const char* name_of(belief b);
const char* name_of(evidence e);

}  // namespace cooldown
