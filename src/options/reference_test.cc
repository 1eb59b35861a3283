#include "src/options/reference.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(Reference, IsOfToday) {
  std::ifstream file(ARROWCDC_REFERENCE_MD);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, MakeReference()) << "docs/reference.md is not what the option table says: make reference";
}

// Rows that show each kind of a cell.
TEST(Reference, HasARowAnOption) {
  const std::string page = MakeReference();
  for (const char* row :
       {"| `--roll-bytes` | size | above 0 | `128MiB` | close a file at this size |\n",
        "| `--for` | duration | above 0 |  | stop after this time",
        "once everything that the slot holds was read and committed |\n",
        "a place as in 'binlog.000012:4567' |\n",
        "| `--ack` | choice | on-durable, on-write | `on-durable` | ",
        "| `--yes, -y` | flag |  |  | do not ask |\n", "| `DIR` | text |  | required | ",
        "| `--tables` | one or more texts |  |  | table patterns, as in 'public.\\*' ",
        "| `tables` | str or list |  | `'*.*'` | ", "| `partitions` | int | 1 to 65536 | `1` | ",
        "| `slow_limit` | float, seconds | 0 or more | `600.0` | ", "| `setup` | bool |  | `True` | ",
        "| `retry_max` | float, seconds | 0 or more | `None` | "}) {
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace arrowcdc
