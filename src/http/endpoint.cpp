#include "cooldown/http/endpoint.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/percent_encoding.hpp"

namespace cooldown::http {
namespace {

// Servers behind other servers may decode again.
constexpr unsigned most_decodings = 3;

std::string decoded(std::string_view text) {
  std::string out(text);
  for (unsigned i = 0; i < most_decodings && out.find('%') != std::string::npos; ++i) out = percent_decoded(out);
  return out;
}

bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
}

/// Stands for itself in a path, however that is read.
constexpr bool is_plain(char c) {
  return is_letter_or_digit(c) || c == '/' || c == '-' || c == '_';
}

/// A segment as servers compare it: without parameters and without white space around it.
std::string_view bare(std::string_view segment) {
  segment = segment.substr(0, segment.find(';'));
  while (!segment.empty() && is_blank(segment.front())) segment.remove_prefix(1);
  while (!segment.empty() && is_blank(segment.back())) segment.remove_suffix(1);
  return segment;
}

/// The segments of a path after removing dot segments; empty segments are kept or dropped.
std::vector<std::string> segments_of(std::string_view path, bool encoded_slashes, bool empty_ones) {
  auto const text = encoded_slashes ? decoded(path) : std::string(path);
  std::vector<std::string> segments;
  for (std::string_view rest = text; !rest.empty();) {
    auto const slash = rest.find_first_of(encoded_slashes ? "/\\" : "/");
    auto const segment = decoded(rest.substr(0, slash));
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    auto const name = bare(segment);
    if (name == ".") continue;
    if (name == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!name.empty() || empty_ones) {
      segments.emplace_back(name);
    }
  }
  while (!segments.empty() && segments.back().empty()) segments.pop_back();
  return segments;
}

/// Decoded text may contain a query, for a server that decodes before it splits.
std::string_view without_query(std::string_view segment) {
  return bare(segment.substr(0, segment.find_first_of("?#")));
}

/// Of which only the request is counted.
bool is_counted(std::string_view last, std::string_view before) {
  constexpr std::string_view of_audio[] = {"speech", "transcriptions", "translations"};
  constexpr std::string_view of_images[] = {"generations", "edits", "variations"};
  constexpr std::string_view alone[] = {"rerank", "moderations", "batches"};
  auto const is_one = [&](std::string_view name) { return iequals(name, last); };
  if (iequals(before, "audio")) return std::ranges::any_of(of_audio, is_one);
  if (iequals(before, "images")) return std::ranges::any_of(of_images, is_one);
  return std::ranges::any_of(alone, is_one);
}

/// `last`: the last segment; `before`: the one before it, if there is one.
endpoint endpoint_at(std::string_view last, std::string_view before) {
  if (iequals(last, "completions") || iequals(last, "responses")) return endpoint::completion;
  // Deeper in a path, "messages" are stored objects, and nothing is generated.
  if (iequals(last, "messages") && (before.empty() || iequals(before, "v1"))) return endpoint::message;
  if (iequals(last, "embeddings")) return endpoint::embedding;
  return is_counted(last, before) ? endpoint::request : endpoint::other;
}

endpoint endpoint_at(const std::vector<std::string>& segments) {
  if (segments.empty()) return endpoint::other;
  auto const before = segments.size() > 1 ? std::string_view(segments[segments.size() - 2]) : "";
  return endpoint_at(without_query(segments.back()), before);
}

/// Removes the last segment from `path`, and returns it.
std::string_view last_segment(std::string_view& path) {
  auto const slash = path.rfind('/');
  auto const last = slash == std::string_view::npos ? path : path.substr(slash + 1);
  path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  return last;
}

}  // namespace

endpoint endpoint_of(std::string_view path) {
  // Nearly all paths are as they are meant.
  if (std::ranges::all_of(path, [](char c) { return is_plain(c); }) && path.find("//") == std::string_view::npos) {
    if (path.ends_with('/')) path.remove_suffix(1);
    auto const last = last_segment(path);
    auto const before = last_segment(path);
    return endpoint_at(last, before);
  }
  auto found = endpoint::other;
  for (bool const encoded_slashes : {false, true})
    for (bool const empty_ones : {false, true})
      found = std::min(found, endpoint_at(segments_of(path, encoded_slashes, empty_ones)));
  return found;
}

}  // namespace cooldown::http
