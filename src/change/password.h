// What connections do with the password of the provider.
#pragma once

#include <optional>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/password.h"

namespace arrowcdc {

// nullopt: there is no provider. `refused`: what a server did not take; it is asked for another then. Any
// thread; blocks as long as the provider does. Errors: the provider's.
arrow::Result<std::optional<std::string>> ProvidedPassword(const std::optional<std::string>& refused);

// open(password), and once more with another one where the server refuses that. Errors: of `open`; of the
// provider, retryable once it has answered before.
template <typename Open>
auto OpenWithPassword(const Open& open) -> decltype(open(std::optional<std::string>())) {
  ARROW_ASSIGN_OR_RAISE(const auto password, ProvidedPassword(std::nullopt));
  auto opened = open(password);
  const ErrorDetail* const refusal = opened.ok() ? nullptr : GetErrorDetail(opened.status());
  if (!password.has_value() || refusal == nullptr || refusal->kind() != ErrorKind::kAuthentication)
    return opened;
  const auto renewed = ProvidedPassword(password);
  if (renewed.ok()) return *renewed == password ? std::move(opened) : open(*renewed);
  const ErrorDetail* const detail = GetErrorDetail(renewed.status());
  if (detail == nullptr) return renewed.status();
  return MakeError(detail->kind(), renewed.status().message(), detail->object(), detail->remedy(),
                   detail->sqlstate(), /*retryable=*/true);
}

}  // namespace arrowcdc
