// Minor releases of PostgreSQL whose logical decoding has faults that later ones have mended.
#pragma once

#include <optional>
#include <string>

namespace arrowcdc::postgres {

// What is to be said of a server of this version (as server_version_num, 150012); none: nothing. Source: the
// release notes of 17.5, 16.9 and 15.13 (changes that are lost), and of 17.6, 16.10 and 15.14 (memory of the
// walsender, and a walsender that waits for ever).
std::optional<std::string> WarnOfRelease(int version_num);

}  // namespace arrowcdc::postgres
