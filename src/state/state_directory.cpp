#include "cooldown/state/state_directory.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <sys/random.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace cooldown::state {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t secret_size = 32;

[[noreturn]] void fail(const std::string& file, int why) {
  throw std::runtime_error(file + ": " + std::strerror(why));
}

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) close(fd);
  }
};

std::string read_secret(const std::string& file) {
  descriptor const from{open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (from.fd < 0) fail(file, errno);
  std::array<char, secret_size> bytes{};
  if (read(from.fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error(file + ": must have 32 bytes; remove it, and a new one is made");
  return {bytes.data(), bytes.size()};
}

/// Under another name first, so that nobody reads half of it.
void make_secret(const std::string& file) {
  std::array<char, secret_size> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) fail(file, errno);
  auto const draft = file + "." + std::to_string(getpid());
  {
    descriptor const to{open(draft.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    if (to.fd < 0) fail(file, errno);
    if (write(to.fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) fail(file, errno);
  }
  // Whoever came first has made the one that counts.
  if (link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST) {
    int const why = errno;
    unlink(draft.c_str());
    fail(file, why);
  }
  unlink(draft.c_str());
}

}  // namespace

std::optional<database_place> database_file(const std::string& configured, const variable& environment) {
  if (!configured.empty()) return database_place{configured};
  if (auto const given = environment("STATE_DIRECTORY"); given && !given->empty())
    return database_place{given->substr(0, given->find(':')) + "/state.db"};
  if (auto const home = environment("XDG_STATE_HOME"); home && home->starts_with('/'))
    return database_place{*home + "/cooldown-proxy/state.db"};
  if (auto const home = environment("HOME"); home && home->starts_with('/'))
    return database_place{*home + "/.local/state/cooldown-proxy/state.db", false};
  return std::nullopt;
}

std::string secret_beside(const std::string& file) {
  auto const directory = fs::absolute(file).parent_path();
  if (!fs::exists(directory)) {
    auto const before = umask(S_IRWXG | S_IRWXO);
    std::error_code failed;
    fs::create_directories(directory, failed);
    umask(before);
    if (failed) throw std::runtime_error(directory.string() + ": " + failed.message());
  }
  auto const secret = file + ".key";
  if (!fs::exists(secret)) make_secret(secret);
  return read_secret(secret);
}

}  // namespace cooldown::state
