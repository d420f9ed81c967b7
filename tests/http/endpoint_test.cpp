#include "cooldown/http/endpoint.hpp"

#include <string>

#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

TEST(endpoint, completions_and_embeddings_are_what_their_paths_end_in) {
  for (auto const* path : {"/v1/chat/completions", "/v1/completions", "/completions",
                           "/openai/deployments/x/completions", "/v1/responses"})
    EXPECT_EQ(endpoint_of(path), endpoint::completion) << path;
  EXPECT_EQ(endpoint_of("/v1/embeddings"), endpoint::embedding);
  for (auto const* path : {"/v1/messages", "/messages", "/anthropic/v1/Messages/"})
    EXPECT_EQ(endpoint_of(path), endpoint::message) << path;
  for (auto const* path : {"/v1/audio/speech", "/v1/audio/Transcriptions/", "/v1/images/generations", "/images/edits",
                           "/v2/rerank", "/v1/moderations", "/v1/batches"})
    EXPECT_EQ(endpoint_of(path), endpoint::request) << path;
  for (auto const* path :
       {"", "/", "*", "/v1/models", "/v1/batches/b/cancel", "/v1/video/generations", "/v1/speech", "/v1/completions/x",
        "/v1/chat/mycompletions", "/completionsx", "/v1/completions/..", "/v1/files;/completions/..",
        "/v1/chat/completions.json", "/v1/responses/r/cancel", "/v1/messages/count_tokens", "/v1/threads/t/messages"})
    EXPECT_EQ(endpoint_of(path), endpoint::other) << path;
}

TEST(endpoint, no_spelling_that_a_server_may_take_for_a_completion_is_missed) {
  for (auto const* path : {
           "/v1/chat/completions/",         "/v1/chat/completion%73",        "/v1/chat/%63ompletions",
           "/v1/chat%2Fcompletions",        "/v1/chat%2fcompletions",        "/v1/chat/completions//",
           "/v1/chat/completions/.",        "/v1/chat/completions/%2E",      "/v1/chat/completions/x/..",
           "/v1/chat/./completions",        "/v1//chat//completions",        "/v1/chat/completions;a=b",
           "/v1/chat/completions;/",        "/v1/chat/completions%3Ba",      "/v1/chat/completions%2f",
           "/v1/chat/completions%20",       "/v1/chat/Completions",          "/V1/CHAT/COMPLETIONS",
           "/v1/chat/completions%3Fx=1",    "/v1/chat/completions%23x",      "/v1/chat/completions/%2e",
           "/v1/chat/completions/x/%2e%2e", "/v1/chat/completions/a%2fb/..", "/v1/chat/completions//..",
           "/v1/chat\\completions",         "/v1/chat%5Ccompletions",        "/v1/chat/%2563ompletions",
           "/v1/chat/completions/x/..;y",   "/v1/chat/completions%00",       "/v1/x/../chat/completions",
       })
    EXPECT_EQ(endpoint_of(path), endpoint::completion) << path;
  EXPECT_EQ(endpoint_of("/v1/embedding%73/"), endpoint::embedding);
}

TEST(endpoint, broken_encodings_stand_for_themselves) {
  for (auto const* path : {"/v1/%", "/v1/%4", "/v1/%zz", "/v1/completions%", "/v1/completions%7"})
    EXPECT_EQ(endpoint_of(path), endpoint::other) << path;
}

TEST(endpoint, a_path_made_to_cost_costs_little) {
  std::string encoded, dots, slashes;
  for (int i = 0; i < 20'000; ++i) {
    encoded += "%2525";
    dots += "/a/..";
    slashes += "/%2f";
  }
  for (auto const& path : {encoded, dots, slashes}) EXPECT_EQ(endpoint_of(path), endpoint::other);
}

}  // namespace
}  // namespace cooldown::http
