#include "cooldown/net/authorities.hpp"

#include <array>
#include <fstream>
#include <iterator>

#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "cooldown/net/tls.hpp"

namespace cooldown::net {
namespace {

// Debian, Arch and Alpine; Fedora and RHEL; openSUSE.
constexpr std::array bundles{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                             "/etc/ssl/ca-bundle.pem"};

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string changed_at(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {};
  return std::to_string(s.st_ino) + ' ' + std::to_string(s.st_mtim.tv_sec) + '.' + std::to_string(s.st_mtim.tv_nsec);
}

/// Where OpenSSL looks: the environment's word goes before what OpenSSL was built with.
std::string place(const char* variable, const char* otherwise) {
  auto const* const told = ::secure_getenv(variable);
  return told ? told : otherwise;
}

std::string sha256(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr);
  return {out.begin(), out.begin() + size};
}

std::string usual_file() {
  return place(X509_get_default_cert_file_env(), X509_get_default_cert_file());
}

std::string usual_directory() {
  return place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
}

}  // namespace

bool is_there(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0;
}

std::string authorities_file(const std::function<bool(const std::string&)>& exists) {
  if (exists(usual_file()) || exists(usual_directory())) return {};
  for (auto const* file : bundles)
    if (exists(file)) return file;
  return {};
}

std::string authorities_of(const config::tls_settings& settings) {
  if (!settings.ca_file.empty()) return sha256(contents_of(settings.ca_file));
  // The directory's files are looked up one by one, by name; adding or removing one changes it.
  return sha256(contents_of(usual_file()) + '\n' + changed_at(usual_directory()) + '\n' +
                contents_of(authorities_file(is_there)));
}

}  // namespace cooldown::net
