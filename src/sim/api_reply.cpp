#include "cooldown/sim/api_reply.hpp"

#include <array>

#include <boost/json.hpp>

namespace cooldown::sim {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 8> vocabulary{"the ", "quota ", "is ", "full ", "so ", "we ", "wait ", "now "};
constexpr const char* fingerprint = "fp_simulated";

void add_usage(json::object& out, const api_reply& reply) {
  const double total = reply.queue_time + reply.prompt_time + reply.completion_time;
  if (reply.with_usage) {
    json::object usage{{"prompt_tokens", reply.usage.input}};
    if (reply.kind != endpoint::embedding) {
      usage["completion_tokens"] = reply.usage.output;
      usage["prompt_tokens_details"] = json::object{{"cached_tokens", reply.usage.cached}};
    }
    usage["total_tokens"] = reply.usage.input + reply.usage.output;
    out["usage"] = std::move(usage);
  }
  if (reply.kind == endpoint::embedding) return;
  out["time_info"] = json::object{{"queue_time", reply.queue_time},
                                  {"prompt_time", reply.prompt_time},
                                  {"completion_time", reply.completion_time},
                                  {"total_time", total},
                                  {"created", reply.created}};
}

const char* finish_reason(const api_reply& reply) {
  return reply.cut_by_maximum ? "length" : "stop";
}

json::object envelope(const api_reply& reply, const char* object) {
  return {{"id", reply.id},
          {"object", object},
          {"created", reply.created},
          {"model", reply.model},
          {"system_fingerprint", fingerprint}};
}

std::string event(const json::object& data) {
  return "data: " + json::serialize(data) + "\n\n";
}

// One chunk of a stream whose only choice has this text, or role, or nothing.
json::object chunk(const api_reply& reply, json::object delta, const std::string& text) {
  const bool is_chat = reply.kind == endpoint::chat;
  auto out = envelope(reply, is_chat ? "chat.completion.chunk" : "text_completion");
  json::object choice{{"index", 0}, {"finish_reason", nullptr}};
  if (is_chat) {
    choice["delta"] = std::move(delta);
  } else {
    choice["text"] = text;
  }
  json::array choices;
  choices.push_back(std::move(choice));
  out["choices"] = std::move(choices);
  return out;
}

std::string embedding_body(const api_reply& reply) {
  json::object item{{"object", "embedding"}, {"index", 0}, {"embedding", json::array{0.25, -0.5, 0.125, 0.75}}};
  json::array data;
  data.push_back(std::move(item));
  json::object out{{"object", "list"}, {"model", reply.model}, {"data", std::move(data)}};
  add_usage(out, reply);
  return json::serialize(out);
}

json::object model_object(std::string_view model) {
  return {{"id", model}, {"object", "model"}, {"created", 0}, {"owned_by", "Cerebras"}};
}

}  // namespace

std::string reply_words(std::int64_t first, std::int64_t count) {
  std::string text;
  text.reserve(static_cast<std::size_t>(count) * 6);
  for (std::int64_t i = first; i < first + count; ++i)
    text += vocabulary[static_cast<std::size_t>(i) % vocabulary.size()];
  return text;
}

std::string reply_body(const api_reply& reply) {
  if (reply.kind == endpoint::embedding) return embedding_body(reply);
  const bool is_chat = reply.kind == endpoint::chat;
  auto out = envelope(reply, is_chat ? "chat.completion" : "text_completion");
  json::object choice{{"index", 0}, {"finish_reason", finish_reason(reply)}};
  const auto text = reply_words(0, reply.usage.output);
  if (is_chat) {
    choice["message"] = json::object{{"role", "assistant"}, {"content", text}};
  } else {
    choice["text"] = text;
  }
  json::array choices;
  choices.push_back(std::move(choice));
  out["choices"] = std::move(choices);
  add_usage(out, reply);
  return json::serialize(out);
}

std::string role_event(const api_reply& reply) {
  return event(chunk(reply, json::object{{"role", "assistant"}, {"content", ""}}, ""));
}

std::string content_event(const api_reply& reply, std::int64_t first, std::int64_t count) {
  const auto text = reply_words(first, count);
  return event(chunk(reply, json::object{{"content", text}}, text));
}

std::string final_event(const api_reply& reply) {
  auto out = chunk(reply, json::object{}, "");
  out["choices"].as_array()[0].as_object()["finish_reason"] = finish_reason(reply);
  add_usage(out, reply);
  return event(out);
}

std::string error_event(const api_error& error, int status) {
  json::object fields{{"message", error.message}, {"type", error.type}, {"param", error.param}, {"code", error.code}};
  return event(json::object{{"error", std::move(fields)}, {"status_code", status}});
}

std::string error_body(const api_error& error) {
  return json::serialize(
      json::object{{"message", error.message}, {"type", error.type}, {"param", error.param}, {"code", error.code}});
}

std::string models_body(const std::vector<std::string>& models) {
  json::array data;
  for (const auto& model : models) data.push_back(model_object(model));
  return json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
}

std::string model_body(std::string_view model) {
  return json::serialize(model_object(model));
}

}  // namespace cooldown::sim
