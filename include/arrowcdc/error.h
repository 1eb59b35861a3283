// Errors: arrow::Status everywhere; what a program needs beyond the text travels in this StatusDetail.
#pragma once

#include <memory>
#include <string>

#include <arrow/status.h>

namespace arrowcdc {

enum class ErrorKind {
  kInvalidOption,   // an argument, pattern or URI
  kConnection,      // could not connect, or the connection broke; retryable
  kAuthentication,  // password, role, pg_hba
  kTls,
  kPermission,        // a grant or role attribute is missing
  kServerSetting,     // wal_level, slots, senders
  kPluginMissing,     // the library is not installed on the server
  kPluginNotAllowed,  // output_plugin_libraries
  kBusy,              // another session holds a lock or a transaction open; retryable
  kSlotMissing,
  kSlotActive,  // retryable; the message names the pid
  kSlotInvalidated,
  kSlotMismatch,         // other plugin, other database, physical
  kPublicationMissing,   // it is not there, or nothing of what was asked for is published
  kPublicationMismatch,  // rows come under other names than those that were asked for
  kReplicaIdentity,
  kUnsupported,   // server version, column lists
  kProtocol,      // bytes that do not follow docs/wire.md
  kPositionGap,   // sink and slot do not fit together: rows would be lost or repeated
  kSink,          // the sink's storage
  kReaderUnread,  // a reader is full and nobody reads it
  kInterrupted,   // its StopToken was stopped before it was done
  kInternal,
};

// Lower-case name with underscores: "slot_active".
const char* ErrorKindName(ErrorKind kind);

class ErrorDetail : public arrow::StatusDetail {
 public:
  ErrorDetail(ErrorKind kind, std::string object, std::string remedy, std::string sqlstate, bool retryable);

  const char* type_id() const override;
  std::string ToString() const override;

  ErrorKind kind() const { return kind_; }
  const std::string& object() const { return object_; }      // what it happened to: slot "s", table "a"."b"
  const std::string& remedy() const { return remedy_; }      // what to do next; may be empty
  const std::string& sqlstate() const { return sqlstate_; }  // five characters, or empty
  bool retryable() const { return retryable_; }

 private:
  ErrorKind kind_;
  std::string object_;
  std::string remedy_;
  std::string sqlstate_;
  bool retryable_;
};

// message says what happened; never a row value, a password or a conninfo.
arrow::Status MakeError(ErrorKind kind, std::string message, std::string object, std::string remedy,
                        std::string sqlstate = "", bool retryable = false);

// Null where the status carries none of ours.
const ErrorDetail* GetErrorDetail(const arrow::Status& status);

}  // namespace arrowcdc
