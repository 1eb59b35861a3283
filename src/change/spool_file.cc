#include "src/change/spool_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace arrowcdc {

std::vector<std::string> SpoolDirectories(const std::string& given) {
  if (!given.empty()) return {given};
  const char* const temporary = std::getenv("TMPDIR");
  if (temporary != nullptr && *temporary != '\0') return {temporary};
  return {"/var/tmp", "/tmp"};
}

int OpenSpoolFile(const std::string& directory) {
  int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  std::string name = directory + "/arrowcdc-spool-XXXXXX";  // a file system without files that have no name
  fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd >= 0) unlink(name.c_str());
  return fd;
}

}  // namespace arrowcdc
