// Tokens of an input, guessed from its characters and images and corrected by the `usage` of answers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/request_size.hpp"

namespace cooldown {

/// Every kind of characters has a ratio of its own, so that a text of one kind makes no other dearer. Ratios follow a
/// high quantile by small steps: underestimates are rare, and no single text decides.
class input_estimator {
 public:
  /// What an input will count as, in tokens: rather too much.
  double tokens(const request_size& size) const;

  /// The least that it may count as: texts differ, and one that is dear makes no other so.
  double least(const request_size& size) const;

  /// usage.prompt_tokens of a request of this size. True: estimates have changed by a tenth or more since it last said
  /// so.
  bool observe(const request_size& size, std::uint64_t prompt_tokens);

  /// Of ASCII prose.
  double tokens_per_char() const { return parts_[0].ratio; }

  void save(learned_costs& into) const;
  void restore(const learned_costs& s);

 private:
  struct part {
    double ratio;         // tokens per unit: a character, or an image
    double least;         // the lowest that was seen lately, or below any that is believable
    double seen = 0;      // observations, each by its share of the input
    double told = ratio;  // the ratio when observe() last said that estimates have changed
  };
  static constexpr std::size_t part_count = 5;  // prose, code, other, dense, images
  static std::array<double, part_count> units_of(const request_size& size);
  void move(std::size_t i, double target, double share);

  // Prose: between English (0.25) and code (0.35), which starts from the same. Other scripts: between Cyrillic (0.4)
  // and the CJK ones (0.6 to 1). Base64: 0.75. An image: one of high detail at most models.
  std::array<part, part_count> parts_{{{0.3, 0.1}, {0.3, 0.1}, {0.7, 0.1}, {0.75, 0.1}, {1'000, 50}}};
  double observations_ = 0;
};

}  // namespace cooldown
