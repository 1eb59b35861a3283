// A file for what waits: it has no name, so whatever ends the process, it is gone.
#pragma once

#include <string>
#include <vector>

namespace arrowcdc {

// Where to look for room: `given`, else TMPDIR, else /var/tmp and /tmp.
std::vector<std::string> SpoolDirectories(const std::string& given);

// Readable and writable. -1 with errno.
int OpenSpoolFile(const std::string& directory);

}  // namespace arrowcdc
