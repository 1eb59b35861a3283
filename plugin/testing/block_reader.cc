#include "plugin/testing/block_reader.h"

#include <cstddef>
#include <cstring>

#include <arrow/memory_pool.h>

#include "plugin/testing/test_stream.h"

namespace arrowcdc::test {

namespace {

using format::FrameHeader;
using format::FrameKind;
using format::SectionTag;

arrow::Status Broken(const std::string& rule) { return arrow::Status::Invalid("wire: ", rule); }

template <typename T>
void Patch(std::string* bytes, size_t at, T value) {
  std::memcpy(bytes->data() + at, &value, sizeof(value));
}

std::string NoticeLine(const NoticeEvent& notice) {
  return "notice " + std::to_string(static_cast<int>(notice.what)) + " " + notice.table.table;
}

}  // namespace

BlockReader::BlockReader()
    : decoder_(std::make_unique<Wal2arrowDecoder>(arrow::default_memory_pool(), /*epoch=*/1)) {}

std::string BlockReader::Name(uint32_t xid) {
  return names_.emplace(xid, std::to_string(names_.size() + 1)).first->second;
}

arrow::Result<std::vector<std::string>> BlockReader::Decode(std::string bytes, uint16_t flags) {
  Patch(&bytes, offsetof(FrameHeader, flags), flags);
  Patch(&bytes, offsetof(FrameHeader, sequence), decoder_sequence_++);
  ARROW_ASSIGN_OR_RAISE(const auto event, decoder_->Decode(arrow::Buffer::FromString(std::move(bytes)), 0));
  std::vector<std::string> lines;
  if (!event) return lines;
  if (const auto* batch = std::get_if<ChangeBatch>(&*event)) ARROW_RETURN_NOT_OK(batch->rows->ValidateFull());
  if (const auto* notice = std::get_if<NoticeEvent>(&*event)) lines.push_back(NoticeLine(*notice));
  AppendLines(*event, /*ord=*/true, &lines);
  return lines;
}

arrow::Status BlockReader::TakeStream(const format::Frame& frame, FrameKind kind) {
  format::StreamSection said;
  format::FrameError error;
  if (!format::ReadStream(frame, &said, &error)) return Broken(error.what);
  if (said.xid == 0) return Broken("no xid");
  if ((kind == FrameKind::kStreamStop) != (block_ != 0)) return Broken("blocks one in another");
  switch (kind) {
    case FrameKind::kStreamStart:
      if (group_has_rows_) return Broken("a block within a group");
      block_ = said.xid;
      block_rows_ = 0;
      ++blocks;
      log.push_back("start " + Name(said.xid));
      return arrow::Status::OK();
    case FrameKind::kStreamStop:
      if (said.xid != block_) return Broken("the end of another block");
      if (block_rows_ == 0) return Broken("a block without anything");
      block_ = 0;
      log.push_back("stop " + Name(said.xid));
      return arrow::Status::OK();
    case FrameKind::kStreamAbort:
      log.push_back("abort " + Name(said.subxid) + " of " + Name(said.xid));
      aborted_[said.xid].insert(said.subxid);
      if (said.subxid == said.xid) spools_.erase(said.xid);
      return arrow::Status::OK();
    default:
      log.push_back("commit " + Name(said.xid));
      if (!spools_.contains(said.xid)) return Broken("a commit of what was not sent");
      if (said.commit_lsn == 0 || said.commit_lsn >= frame.header.safe_lsn || said.commit_ts == 0) {
        return Broken("a commit without its place");
      }
      for (const Line& line : spools_[said.xid]) {
        if (!aborted_[said.xid].contains(line.xid)) lines.push_back(line.text);
      }
      spools_.erase(said.xid);
      return arrow::Status::OK();
  }
}

arrow::Status BlockReader::TakeOfBlock(const std::shared_ptr<arrow::Buffer>& frame_bytes,
                                       const format::Frame& frame) {
  if (block_ == 0) return Broken("outside of a block");
  std::string bytes = frame_bytes->ToString();
  uint32_t count = 0;
  format::FrameError error;
  if (!format::CountEntries(frame, SectionTag::kTransactions, sizeof(format::TransactionEntry), &count,
                            &error)) {
    return Broken(error.what);
  }
  std::vector<uint32_t> xids;  // of each row
  for (uint32_t i = 0; i < count; ++i) {
    const format::TransactionEntry entry = format::TransactionAt(frame, i);
    if (entry.commit_lsn != 0 || entry.commit_ts != 0 || entry.xid == 0) return Broken("not in progress");
    xids.insert(xids.end(), entry.rows == 0 ? 1 : entry.rows, entry.xid);
    Patch(&bytes, frame.section(SectionTag::kTransactions).offset + i * sizeof(entry), ++made_up_lsn_);
  }
  const bool optional = (frame.header.flags & format::kFlagOptional) != 0;
  ARROW_ASSIGN_OR_RAISE(const auto texts, Decode(std::move(bytes), optional ? format::kFlagOptional
                                                                            : format::kFlagTxnIncomplete));
  if (texts.empty()) return Broken("a frame without anything");
  if (!optional && texts.size() != xids.size()) return Broken("rows without a transaction");
  for (size_t i = 0; i < texts.size(); ++i) {
    const uint32_t xid = optional ? block_ : xids[i];
    spools_[block_].push_back({xid, texts[i]});
    log.push_back(optional ? "notice" : "row " + Name(xid));
  }
  block_rows_ += texts.size();
  return arrow::Status::OK();
}

arrow::Status BlockReader::Feed(const std::shared_ptr<arrow::Buffer>& bytes) {
  format::Frame frame;
  format::FrameError error;
  if (!format::ReadFrame(bytes->data(), static_cast<size_t>(bytes->size()), &frame, &error)) {
    return Broken(error.what);
  }
  const FrameHeader& header = frame.header;
  if (header.sequence != sequence_++) return Broken("a gap in the numbers of frames");
  const auto kind = static_cast<FrameKind>(header.kind);
  const bool in_progress = (header.flags & format::kFlagInProgress) != 0;
  constexpr uint16_t kOfGroups = format::kFlagGroupEnd | format::kFlagTxnIncomplete;
  if (in_progress && ((header.flags & kOfGroups) != 0 || header.safe_lsn != safe_lsn_)) {
    return Broken("a frame of a block in a group");
  }
  if (block_ != 0 && !in_progress && kind != FrameKind::kSchema && kind != FrameKind::kContinuation) {
    return Broken("within a block, and not of it");
  }
  safe_lsn_ = header.safe_lsn;
  switch (kind) {
    case FrameKind::kStreamStart:
    case FrameKind::kStreamStop:
    case FrameKind::kStreamAbort:
      return in_progress ? TakeStream(frame, kind) : Broken("not in progress");
    case FrameKind::kStreamCommit:
      if ((header.flags & format::kFlagGroupEnd) == 0 || in_progress || group_has_rows_) {
        return Broken("a commit is a group of its own");
      }
      return TakeStream(frame, kind);
    default:
      break;
  }
  if (in_progress) return TakeOfBlock(bytes, frame);
  ARROW_ASSIGN_OR_RAISE(const auto texts, Decode(bytes->ToString(), header.flags));
  lines.insert(lines.end(), texts.begin(), texts.end());
  const bool group_ends = (header.flags & format::kFlagGroupEnd) != 0;
  if (kind != FrameKind::kNotice) group_has_rows_ = (group_has_rows_ || !texts.empty()) && !group_ends;
  if (group_ends) log.push_back("group end");
  return arrow::Status::OK();
}

}  // namespace arrowcdc::test
