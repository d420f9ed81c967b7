// Beliefs about how a limit refills, and what changes them: one pure function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cooldown/limit/refill.hpp"

namespace cooldown {

/// A belief about refill, and the evidence for it. docs/model.md draws how beliefs follow from each other.
enum class belief : std::uint8_t {
  assumed_bucket,      // the default, without evidence
  reassumed_bucket,    // after a suspicion that was not confirmed; the next one is a window, and its end decides
  announced_bucket,    // resets are sent that may be the time until full
  proven_bucket,       //
  announced_window,    // resets are sent that are not the time until full
  suspected_window,    // nothing seems to come back before the window's end
  resuspected_window,  // the same, once more
  doubted_window,      // its end did not differ from a bucket's twice: tested now and then
  proven_window,       //
  suspected_sliding,   // after one refusal
  proven_sliding,      //
  pinned_bucket,       // configured; evidence does not change these three
  pinned_window,       //
  pinned_sliding,      //
};
constexpr std::size_t belief_count = 14;

/// Evidence. The caller has weighed it: each item is clear enough to act on.
enum class evidence : std::uint8_t {
  reset_sent,           // a header announces a reset
  resets_fit_bucket,    // most of the latest resets equal the time until a bucket is full
  resets_fit_window,    // none of the latest resets does
  resets_stand_still,   // resets are the same all the time
  refill_seen,          // headers show a gradual refill
  no_refill_seen,       // headers show no refill
  refused_with_room,    // a request was refused for which a bucket would have had room
  refused_beyond_log,   // the same, and a sliding log would have had no room
  refused_like_log,     // the same in several rounds in a row, and no header has shown more than a sliding log has
  refused_in_a_row,     // refusals in consecutive windows that a sliding log does not explain
  refused_unshown,      // refused although the model had room; no header shows the level
  admitted_unshown,     // admitted after it was used up; no header shows the level
  back_at_once,         // where no header shows the level: after a time without any, more than a sliding log would have
  back_like_log,        // the same, and a sliding log explains it
  more_than_log,        // a header shows more than a sliding log would have
  suspicion_expired,    // the suspicion was not confirmed for long
  end_full,             // at a window's end it is full
  end_like_log,         // at a window's end the level is that of a sliding log
  end_like_bucket,      // at a window's end the level is that of a bucket
  end_undecided,        // at a window's end it is full, but a bucket would be full, too
  end_empty,            // it is empty a whole window after the suspicion
  end_empty_no_log,     // the same, and headers have lately shown far more than a sliding log would have
  end_short,            // right after a window's end there is less than any model says
  configured_bucket,    // by configuration
  configured_window,    //
  configured_sliding,   //
  configured_to_learn,  // the configuration no longer says how it refills
};
constexpr std::size_t evidence_count = 27;

/// The belief after evidence `e`. Most evidence does not change most beliefs.
belief on(belief b, evidence e);

/// How the level moves with time according to this belief.
refill model_of(belief b);

/// True if headers, refusals or the configuration have settled it.
bool is_proven(belief b);

/// True if the configuration sets it, so that nothing is learned.
bool is_pinned(belief b);

/// True until the end of a window decides about the suspicion.
bool is_suspected_window(belief b);

const char* name_of(belief b);
const char* name_of(evidence e);

}  // namespace cooldown
