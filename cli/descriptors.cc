#include "cli/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace arrowcdc::cli {
namespace {

bool output_was_closed = false;

}  // namespace

void OpenStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    if (fd == STDOUT_FILENO) output_was_closed = true;
    // The lowest free number, and those below are taken.
    if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) _exit(1);
  }
}

bool StandardOutputWasClosed() { return output_was_closed; }

}  // namespace arrowcdc::cli
