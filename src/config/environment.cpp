#include <cstdlib>
#include <fstream>
#include <iterator>

#include "cooldown/config/load.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t longest_credential = 64 * 1024;

/// Credentials that a service manager passes in files instead of the environment (systemd.exec(5), LoadCredential=). An
/// empty file is the unit's default for a missing one.
std::optional<std::string> credential(const std::string& name) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder != '/' || name.empty() || name.find('/') != std::string::npos || name.front() == '.')
    return std::nullopt;
  std::ifstream file(std::string(folder) + '/' + name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty() || text.size() > longest_credential) return std::nullopt;
  return text;
}

}  // namespace

environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    std::string const key(name);
    if (const char* const value = std::getenv(key.c_str())) return value;
    return credential(key);
  };
}

}  // namespace cooldown::config
