#include "src/change/password.h"

#include <mutex>
#include <utility>

namespace arrowcdc {
namespace {

struct Provided {
  std::mutex mutex;
  PasswordProvider provider;
  std::optional<std::string> password;  // its last answer
};

Provided& TheProvided() {
  static Provided* const provided = new Provided;  // threads that still connect may outlive main
  return *provided;
}

}  // namespace

void SetPasswordProvider(PasswordProvider provider) {
  Provided& provided = TheProvided();
  const std::lock_guard lock(provided.mutex);
  provided.provider = std::move(provider);
  provided.password.reset();
}

arrow::Result<std::optional<std::string>> ProvidedPassword(const std::optional<std::string>& refused) {
  Provided& provided = TheProvided();
  const std::lock_guard lock(provided.mutex);
  if (!provided.provider) return std::optional<std::string>();
  // Another connection may have asked since.
  if (!provided.password.has_value() || provided.password == refused) {
    ARROW_ASSIGN_OR_RAISE(provided.password, provided.provider());
  }
  return provided.password;
}

}  // namespace arrowcdc
