// For tests: transactions in progress in memory, the records malloc'ed to their sizes, so that ASan sees what
// lies beyond them.
#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/postgres/decode/transaction_spool.h"

namespace arrowcdc::test {

class MemorySpool : public TransactionSpool {
 public:
  arrow::Status Append(uint32_t xid, std::initializer_list<std::string_view> parts) override {
    ARROW_RETURN_NOT_OK(fails);
    std::string record;
    for (const std::string_view part : parts) record += part;
    records[xid].push_back(std::move(record));
    return arrow::Status::OK();
  }
  arrow::Result<std::unique_ptr<Reader>> Read(uint32_t xid) override {
    return std::make_unique<RecordReader>(&records[xid]);
  }
  void Drop(uint32_t xid) override { records.erase(xid); }

  std::map<uint32_t, std::vector<std::string>> records;
  arrow::Status fails;  // what Append says

 private:
  class Record : public arrow::Buffer {
   public:
    static std::shared_ptr<arrow::Buffer> Copy(const std::string& bytes) {
      void* block = nullptr;
      if (posix_memalign(&block, 64, bytes.size() + (bytes.empty() ? 1 : 0)) != 0) abort();
      memcpy(block, bytes.data(), bytes.size());
      return std::shared_ptr<arrow::Buffer>(new Record(static_cast<uint8_t*>(block), bytes.size()));
    }
    ~Record() override { free(const_cast<uint8_t*>(data())); }

   private:
    Record(const uint8_t* block, size_t bytes) : Buffer(block, static_cast<int64_t>(bytes)) {}
  };

  class RecordReader : public Reader {
   public:
    explicit RecordReader(const std::vector<std::string>* records) : records_(records) {}
    arrow::Result<std::shared_ptr<arrow::Buffer>> Next() override {
      return next_ < records_->size() ? Record::Copy((*records_)[next_++]) : nullptr;
    }

   private:
    const std::vector<std::string>* records_;
    size_t next_ = 0;
  };
};

}  // namespace arrowcdc::test
