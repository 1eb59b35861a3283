#include "cli/exit_code.h"

#include "arrowcdc/error.h"

namespace arrowcdc::cli {

ExitCode ExitCodeOf(const arrow::Status& status) {
  if (status.ok()) return kOk;
  const ErrorDetail* detail = GetErrorDetail(status);
  if (detail == nullptr) return kFailure;
  constexpr const char* kTooManyConnections = "53300";
  if (detail->sqlstate() == kTooManyConnections) return kPassesByItself;
  switch (detail->kind()) {
    case ErrorKind::kInvalidOption:
      return kUsage;
    case ErrorKind::kConnection:
    case ErrorKind::kAuthentication:
    case ErrorKind::kTls:
      return kNoConnection;
    case ErrorKind::kPermission:
    case ErrorKind::kServerSetting:
    case ErrorKind::kPluginMissing:
    case ErrorKind::kPluginNotAllowed:
    case ErrorKind::kReplicaIdentity:
    case ErrorKind::kUnsupported:
      return kServerNotReady;
    case ErrorKind::kBusy:
    case ErrorKind::kSlotActive:
      return kPassesByItself;
    case ErrorKind::kSlotMissing:
    case ErrorKind::kSlotInvalidated:
    case ErrorKind::kSlotMismatch:
    case ErrorKind::kPublicationMissing:
    case ErrorKind::kPublicationMismatch:
      return kSlotOrPublication;
    case ErrorKind::kPositionGap:
      return kPositionMismatch;
    case ErrorKind::kSink:
      return kSinkFailed;
    case ErrorKind::kInterrupted:
      return kInterrupted;
    case ErrorKind::kReaderUnread:  // the command has no readers
    case ErrorKind::kProtocol:
    case ErrorKind::kInternal:
      return kFailure;
  }
  return kFailure;
}

}  // namespace arrowcdc::cli
