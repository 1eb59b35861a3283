#include "src/postgres/setup/old_release.h"

#include <algorithm>
#include <iterator>

namespace arrowcdc::postgres {
namespace {

struct Release {
  int major;
  int keeps_changes;  // the first minor release that does
  int settled;        // the first that has the repairs of that repair
};

constexpr Release kReleases[] = {{15, 13, 14}, {16, 9, 10}, {17, 5, 6}};
constexpr int kPerMajor = 10'000;

}  // namespace

std::optional<std::string> WarnOfRelease(int version_num) {
  const int major = version_num / kPerMajor;
  const int minor = version_num % kPerMajor;
  const auto* const release = std::find_if(std::begin(kReleases), std::end(kReleases),
                                           [&](const Release& r) { return r.major == major; });
  if (release == std::end(kReleases) || minor >= release->settled) return std::nullopt;
  const bool loses = minor < release->keeps_changes;
  return "the server is PostgreSQL " + std::to_string(major) + "." + std::to_string(minor) + ": " +
         (loses ? "it can lose changes of a table that is altered or published beside an open transaction"
                : "its walsender can take much memory where tables are altered, and wait for ever after a "
                  "crash") +
         "; upgrade it to " + std::to_string(major) + "." + std::to_string(release->settled) + " or later";
}

}  // namespace arrowcdc::postgres
