// Manual pages and completions, where they lie below a prefix's share/: write_documents DIRECTORY
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "cli/documents/completions.h"
#include "cli/documents/manual_page.h"

namespace arrowcdc::cli {
namespace {

bool Write(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return static_cast<bool>(file);
}

bool WriteAll(const std::filesystem::path& directory) {
  bool written = Write(directory / "man/man1/arrowcdc.1", MakeManualPage());
  for (const Command& command : Commands()) {
    const std::string name = std::string("arrowcdc-") + command.name + ".1";
    written = Write(directory / "man/man1" / name, MakeManualPage(command)) && written;
  }
  return Write(directory / "bash-completion/completions/arrowcdc", MakeBashCompletion()) &&
         Write(directory / "zsh/site-functions/_arrowcdc", MakeZshCompletion()) &&
         Write(directory / "fish/vendor_completions.d/arrowcdc.fish", MakeFishCompletion()) && written;
}

}  // namespace
}  // namespace arrowcdc::cli

int main(int argc, char** argv) {
  if (argc != 2 || *argv[1] == '-') {
    std::fputs("write_documents DIRECTORY\n", stderr);
    return 2;
  }
  return arrowcdc::cli::WriteAll(argv[1]) ? 0 : 1;
}
