// Numbers of errors: MySQL's and MariaDB's are the same as far as they are looked at here.
#include <string>

#include "arrowcdc/error.h"
#include "src/mysql/client/connection.h"

namespace arrowcdc::mysql {
namespace {

struct Meaning {
  ErrorKind kind = ErrorKind::kProtocol;
  bool retryable = false;
  const char* remedy = "";
};

bool Has(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

// ER_MASTER_FATAL_ERROR_READING_BINLOG says in words what it is.
Meaning OfDump(const std::string& text) {
  if (Has(text, "purged") || Has(text, "Could not find first log file name") ||
      Has(text, "Could not find GTID state")) {
    return {ErrorKind::kPositionGap, false,
            "changes are lacking that the server has removed: keep the binary log for longer "
            "(binlog_expire_logs_seconds), and copy all rows anew, beside what is there (--snapshot "
            "when-needed), or capture into a new sink"};
  }
  if (Has(text, "server_uuid/server_id") || Has(text, "server_id")) {
    return {ErrorKind::kBusy, true, "it will be tried again with another identity"};
  }
  if (Has(text, "connecting slave requested to start from GTID") || Has(text, "more GTIDs")) {
    return {ErrorKind::kPositionGap, false,
            "the server does not have what was delivered: connect to the server that has, or capture into a "
            "new sink"};
  }
  if (Has(text, "anonymous transaction")) {
    return {
        ErrorKind::kPositionGap, false,
        "the log has transactions without GTIDs there, which the server does not send while gtid_mode is "
        "ON: SET GLOBAL gtid_mode = ON_PERMISSIVE until the stream has passed them, or capture into a new "
        "sink"};
  }
  if (Has(text, "Binary log is not open")) {
    return {ErrorKind::kServerSetting, false, "set log_bin and restart the server"};
  }
  return {ErrorKind::kProtocol, false, "the server cannot read its own binary log: see its error log"};
}

Meaning MeaningOf(unsigned code, const std::string& text) {
  switch (code) {
    case 1236:
      return OfDump(text);
    case 1045:
    case 1698:
    case 1251:
    case 2059:
    case 2061:
    case 3118:
    case 1820:
    case 4151:
      return {ErrorKind::kAuthentication, false,
              "check user and password (in the URL, MYSQL_PWD or the option file), and how the account "
              "authenticates"};
    case 1044:
    case 1142:
    case 1143:
    case 1227:
    case 1370:
      return {ErrorKind::kPermission, false, "'arrowcdc setup' says which rights are needed"};
    case 2026:
      // A server that is ended or restarted, or says nothing.
      if (Has(text, "unexpected eof") || Has(text, "timed out") || Has(text, "reset by peer"))
        return {ErrorKind::kConnection, true, "check host, port and network"};
      return {ErrorKind::kTls, false, "check ssl-mode, ssl-ca and the server's certificate"};
    case 1040:
      return {ErrorKind::kConnection, true, "the server has too many connections"};
    case 1203:
    case 1226:
      return {ErrorKind::kConnection, true,
              "the account is at a limit of its own (MAX_USER_CONNECTIONS, say): allow it more, or copy by "
              "fewer connections"};
    case 1130:
      return {ErrorKind::kAuthentication, false, "the account may not connect from this machine"};
    case 1053:
    case 1077:
    case 1079:
    case 1152:
    case 1153:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1184:
    case 1317:
    case 1927:
    case 2002:
    case 2003:
    case 2005:
    case 2006:
    case 2012:
    case 2013:
    case 2055:
    case 4031:
      return {ErrorKind::kConnection, true,
              "check host, port and network (localhost is a socket, 127.0.0.1 the port)"};
    case 1193:
    case 1064:
      return {ErrorKind::kUnsupported, false, "the server's version is not supported"};
    default:
      return {ErrorKind::kProtocol, false, "see the server's error log"};
  }
}

}  // namespace

arrow::Status MakeServerError(unsigned code, const std::string& sqlstate, const std::string& text,
                              const std::string& doing, const std::string& server) {
  const Meaning meaning = MeaningOf(code, text);
  return MakeError(meaning.kind, doing + ": " + text + " (error " + std::to_string(code) + ")",
                   "server " + server, meaning.remedy, sqlstate, meaning.retryable);
}

}  // namespace arrowcdc::mysql
