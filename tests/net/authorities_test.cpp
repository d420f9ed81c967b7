// Where the system's authorities are found, also on another distribution than the program was linked on.
#include "cooldown/net/authorities.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/x509.h>

using cooldown::net::authorities_file;

namespace {

/// No variable tells OpenSSL where to look.
std::string found(const std::vector<std::string>& there) {
  unsetenv(X509_get_default_cert_file_env());
  unsetenv(X509_get_default_cert_dir_env());
  return authorities_file(
      [&](const std::string& path) { return std::find(there.begin(), there.end(), path) != there.end(); });
}

}  // namespace

TEST(Authorities, OfOpenSslAreTakenWhereTheyAre) {
  EXPECT_EQ(found({X509_get_default_cert_file(), "/etc/pki/tls/certs/ca-bundle.crt"}), "");
  EXPECT_EQ(found({X509_get_default_cert_dir(), "/etc/ssl/ca-bundle.pem"}), "");
}

TEST(Authorities, OfOtherDistributionsAreFoundWhereOpenSslFindsNone) {
  EXPECT_EQ(found({"/etc/pki/tls/certs/ca-bundle.crt"}), "/etc/pki/tls/certs/ca-bundle.crt");
  EXPECT_EQ(found({"/etc/ssl/ca-bundle.pem"}), "/etc/ssl/ca-bundle.pem");
  EXPECT_EQ(found({"/etc/ssl/certs/ca-certificates.crt"}), "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_EQ(found({}), "");
}
