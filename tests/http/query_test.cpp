// Which parameters of a query are credentials, and the target without them.
#include "cooldown/http/query.hpp"

#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

TEST(Query, CredentialsAreKnownByTheirNames) {
  for (auto const* const name :
       {"key", "api_key", "api-key", "apikey", "API_KEY", "api%5Fkey", "k%65y", "%256bey", "access_token", "token",
        "x-goog-api-key", "subscription-key", "sig", "code", "auth", "authorization", "client_secret", "password"})
    EXPECT_TRUE(is_credential_parameter(name)) << name;
  for (auto const* const name : {"api-version", "model", "beta", "stream", "", "timeout"})
    EXPECT_FALSE(is_credential_parameter(name)) << name;
}

TEST(Query, TheRestOfATargetStaysAsItIs) {
  struct row {
    const char* target;
    const char* without;
  };
  row const rows[] = {
      {"/v1/models", "/v1/models"},
      {"/v1/models?", "/v1/models?"},
      {"/v1/models?api-version=1&b=%20", "/v1/models?api-version=1&b=%20"},
      {"/v1/models?key=k", "/v1/models"},
      {"/v1/models?a=1&key=k&b=2", "/v1/models?a=1&b=2"},
      {"/v1/models?key=k;a=1", "/v1/models?a=1"},
      {"/v1/models?key=k&key=l", "/v1/models"},
      {"/v1/key=k", "/v1/key=k"},
      {"/v1/models?a=b?c&api_key=l", "/v1/models?a=b?c"},
  };
  for (auto const& r : rows) EXPECT_EQ(without_credentials(r.target), r.without) << r.target;
}

TEST(Query, ACredentialHasAValue) {
  EXPECT_TRUE(has_credential_in_query("/?a=1&key=k"));
  EXPECT_FALSE(has_credential_in_query("/?key="));
  EXPECT_FALSE(has_credential_in_query("/?key"));
  EXPECT_FALSE(has_credential_in_query("/key=k"));
}

}  // namespace
}  // namespace cooldown::http
