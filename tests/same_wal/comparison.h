// Slots of three plugins beside each other, and what they say of the same WAL.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "tests/testing/private_server.h"

namespace arrowcdc::test {

// One that decodes out of little memory, so that transactions are spilled or streamed, and disturbs nobody.
arrow::Result<std::unique_ptr<PrivateServer>> MakeSameWalServer();

struct Published {
  std::vector<std::string> publications{};
  // Beside the others: its one table makes pgoutput send values as text. Empty: values in binary alone.
  std::string text_publication{};
  std::map<std::string, std::string> leaves{};  // the table that each partition is one of
  bool replayed = false;                        // the tables of schemas a and b hold what the changes say
};

struct Comparison {
  int64_t rows = 0;
  std::string difference{};                 // empty: there is none
  std::map<std::string, int64_t> blocks{};  // of transactions in progress, that each plugin has sent
};

class SameWalSlots {
 public:
  // In the database, behind whose setup the WAL begins that is compared.
  static arrow::Result<std::unique_ptr<SameWalSlots>> Create(const PrivateServer& server,
                                                             const std::string& database);

  // Reads all that the slots hold, in each mode of each plugin; they do not move. Errors: what no comparison
  // is possible with.
  arrow::Result<Comparison> Compare(const Published& published);
  arrow::Status Drop();

 private:
  SameWalSlots(const PrivateServer& server, std::string database, std::unique_ptr<SqlConnection> sql);

  const PrivateServer& server_;
  const std::string database_;
  const std::unique_ptr<SqlConnection> sql_;
};

}  // namespace arrowcdc::test
