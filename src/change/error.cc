// Errors with a kind, an object and a remedy, carried by arrow::Status.
#include "arrowcdc/error.h"

#include <cstring>
#include <utility>

namespace arrowcdc {
namespace {

constexpr char kTypeId[] = "arrowcdc::ErrorDetail";

// The closest of Arrow's codes, for programs that look no further.
arrow::StatusCode CodeOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidOption:
    case ErrorKind::kServerSetting:
    case ErrorKind::kPluginNotAllowed:
    case ErrorKind::kSlotInvalidated:
    case ErrorKind::kSlotMismatch:
    case ErrorKind::kReplicaIdentity:
    case ErrorKind::kPositionGap:
    case ErrorKind::kReaderUnread:
    case ErrorKind::kPublicationMismatch:
      return arrow::StatusCode::Invalid;
    case ErrorKind::kConnection:
    case ErrorKind::kAuthentication:
    case ErrorKind::kTls:
    case ErrorKind::kPermission:
    case ErrorKind::kBusy:
    case ErrorKind::kSlotActive:
    case ErrorKind::kSink:
      return arrow::StatusCode::IOError;
    case ErrorKind::kInterrupted:
      return arrow::StatusCode::Cancelled;
    case ErrorKind::kPluginMissing:
    case ErrorKind::kSlotMissing:
    case ErrorKind::kPublicationMissing:
      return arrow::StatusCode::KeyError;
    case ErrorKind::kUnsupported:
      return arrow::StatusCode::NotImplemented;
    case ErrorKind::kProtocol:
      return arrow::StatusCode::SerializationError;
    case ErrorKind::kInternal:
      return arrow::StatusCode::UnknownError;
  }
  return arrow::StatusCode::UnknownError;
}

}  // namespace

const char* ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidOption:
      return "invalid_option";
    case ErrorKind::kConnection:
      return "connection";
    case ErrorKind::kAuthentication:
      return "authentication";
    case ErrorKind::kTls:
      return "tls";
    case ErrorKind::kPermission:
      return "permission";
    case ErrorKind::kServerSetting:
      return "server_setting";
    case ErrorKind::kPluginMissing:
      return "plugin_missing";
    case ErrorKind::kPluginNotAllowed:
      return "plugin_not_allowed";
    case ErrorKind::kBusy:
      return "busy";
    case ErrorKind::kSlotMissing:
      return "slot_missing";
    case ErrorKind::kSlotActive:
      return "slot_active";
    case ErrorKind::kSlotInvalidated:
      return "slot_invalidated";
    case ErrorKind::kSlotMismatch:
      return "slot_mismatch";
    case ErrorKind::kPublicationMissing:
      return "publication_missing";
    case ErrorKind::kPublicationMismatch:
      return "publication_mismatch";
    case ErrorKind::kReplicaIdentity:
      return "replica_identity";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kProtocol:
      return "protocol";
    case ErrorKind::kPositionGap:
      return "position_gap";
    case ErrorKind::kSink:
      return "sink";
    case ErrorKind::kReaderUnread:
      return "reader_unread";
    case ErrorKind::kInterrupted:
      return "interrupted";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

ErrorDetail::ErrorDetail(ErrorKind kind, std::string object, std::string remedy, std::string sqlstate,
                         bool retryable)
    : kind_(kind),
      object_(std::move(object)),
      remedy_(std::move(remedy)),
      sqlstate_(std::move(sqlstate)),
      retryable_(retryable) {}

const char* ErrorDetail::type_id() const { return kTypeId; }

std::string ErrorDetail::ToString() const {
  std::string text = ErrorKindName(kind_);
  if (!object_.empty()) text += ", " + object_;
  if (!sqlstate_.empty()) text += ", SQLSTATE " + sqlstate_;
  if (retryable_) text += ", can be retried";
  if (!remedy_.empty()) text += "; remedy: " + remedy_;
  return text;
}

arrow::Status MakeError(ErrorKind kind, std::string message, std::string object, std::string remedy,
                        std::string sqlstate, bool retryable) {
  auto detail = std::make_shared<ErrorDetail>(kind, std::move(object), std::move(remedy), std::move(sqlstate),
                                              retryable);
  return arrow::Status(CodeOf(kind), std::move(message), std::move(detail));
}

const ErrorDetail* GetErrorDetail(const arrow::Status& status) {
  const auto& detail = status.detail();
  if (detail == nullptr || strcmp(detail->type_id(), kTypeId) != 0) return nullptr;
  return static_cast<const ErrorDetail*>(detail.get());
}

}  // namespace arrowcdc
