// Credentials in the query of a request target.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// Whether a parameter of this name carries a credential by convention: key, api_key, access_token, sig and the like,
/// however it is percent-encoded.
bool is_credential_parameter(std::string_view name);

/// Whether the query of the target has such a parameter with a value.
bool has_credential_in_query(std::string_view target);

/// The target without such parameters; all others unchanged, in their order.
std::string without_credentials(std::string_view target);

}  // namespace cooldown::http
