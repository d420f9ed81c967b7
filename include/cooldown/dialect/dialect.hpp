// The dialects of providers: how each is recognized, and what its headers leave unsaid.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cooldown/dialect/rate_limit_headers.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

/// Everything is read in every dialect; a dialect says only what names leave open.
enum class dialect : std::uint8_t {
  automatic,  // by the host, else by what answers show
  openai,
  cerebras,
  groq,
  azure,
  mistral,
  anthropic,
  gemini,
  openrouter,
  together,
  fireworks,
  sambanova,
  nvidia,
  cohere,
  huggingface,
  ietf,
};
inline constexpr std::size_t dialect_count = 16;

/// "auto", "openai", …: as in the configuration.
const char* name_of(dialect d);
std::optional<dialect> dialect_named(std::string_view name);

/// The dialect of a provider's host; `automatic`: unknown.
dialect dialect_of_host(std::string_view host);

/// The dialect whose headers these are; `automatic`: they do not say.
dialect dialect_of_headers(header_view headers);

/// Over what limits count whose headers do not say it, until readings show it.
unnamed_windows windows_of(dialect d);

}  // namespace cooldown
