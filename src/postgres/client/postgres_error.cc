// SQLSTATE first, names of settings and server functions second, English texts last: servers speak many
// languages.
#include "src/postgres/client/postgres_error.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "arrowcdc/error.h"
#include "format/frame.h"
#include "src/postgres/setup/plugin_permission.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

using Action = ErrorContext::Action;

constexpr const char kNewSlot[] =
    "rows may have been lost: run 'arrowcdc teardown' and 'arrowcdc setup', then stream with --snapshot "
    "when-needed, which copies all rows anew, or into a new sink";
constexpr const char kInstallPlugin[] =
    "on a server of your own install its package, or run 'make install-plugin' with its pg_config (no "
    "restart "
    "is needed; docs/install.md); on managed services, where the plugin cannot be installed, use "
    "PostgreSQL's own: --plugin pgoutput (docs/managed.md)";

constexpr const char kNoReplication[] =
    "what answers does not pass replication connections on (a pooler?): connect to the server itself";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool ContainsAny(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [text](std::string_view part) { return Contains(text, part); });
}

std::string Named(const char* what, const std::string& name) {
  return std::string(what) + " \"" + name + "\"";
}

// Where a role is named in a remedy.
std::string RoleIdentifier(const std::string& role) { return QuoteIdentifier(role).ValueOr("ROLE"); }

// One error on the way to a Status.
struct Finding {
  ErrorKind kind;
  std::string object;
  std::string remedy;
  bool retryable = false;
};

std::string ServerObject(const ErrorContext& context) {
  return context.server.empty() ? "server" : "server " + context.server;
}

// Digits behind "PID": the text around them is translated, the number is not.
std::string PidIn(const std::string& message) {
  size_t end = message.find_last_of("0123456789");
  if (end == std::string::npos) return "";
  size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(message[begin - 1]))) --begin;
  return message.substr(begin, end - begin + 1);
}

// The first name of the message that stands in double quotes, else `fallback`.
std::string QuotedIn(const std::string& message, const std::string& fallback) {
  const size_t open = message.find('"');
  const size_t close = open == std::string::npos ? open : message.find('"', open + 1);
  return close == std::string::npos ? fallback : message.substr(open + 1, close - open - 1);
}

// Where a line ends after a word and the next one begins with a capital, a sentence has ended.
std::string OneLine(const std::string& text) {
  std::string line;
  std::string gap;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte) != 0) {
      gap += c;
      continue;
    }
    if (!gap.empty() && !line.empty()) {
      const bool sentence = Contains(gap, "\n") && std::isupper(byte) != 0 &&
                            std::isalnum(static_cast<unsigned char>(line.back())) != 0;
      line += sentence ? ". " : " ";
    }
    gap.clear();
    line += c;
  }
  return line;
}

Finding Authentication(const ServerError& error, const ErrorContext& context) {
  Finding finding{ErrorKind::kAuthentication, Named("role", context.user), "", false};
  if (Contains(error.message, "pg_hba")) {
    finding.remedy =
        "add a line for this role, database and address to the server's pg_hba.conf; a logical replication "
        "connection matches "
        "the database's name there, not the keyword 'replication'";
    if (ContainsAny(error.message, {"no encryption", "SSL off"})) {
      finding.remedy +=
          "; or the server takes encrypted connections only: use sslmode=verify-full (or require)";
    }
  } else if (ContainsAny(error.message, {"Peer authentication", "Ident authentication"})) {
    finding.remedy =
        "over its unix socket the server lets a role in only for the operating system's user of the same "
        "name "
        "(peer or ident in pg_hba.conf): connect over TCP with a password (host=localhost), or as that user "
        "(sudo -u "
        "USER), or let an administrator map the names in pg_ident.conf";
  } else if (error.sqlstate == "28P01") {
    finding.remedy = "check role and password: in the connection string, PGPASSWORD or ~/.pgpass (mode 0600)";
  } else {
    finding.remedy = "check that the role exists and has LOGIN";
  }
  return finding;
}

Finding PluginNotAllowed(const ServerError& error, const ErrorContext& context) {
  // What the role may load besides is not known here.
  const std::string sql =
      AllowPluginSql({std::vector<std::string>{"pgoutput"}, false}, "wal2arrow", context.user,
                     context.database)
          .ValueOr("ALTER ROLE ... SET output_plugin_libraries = 'pgoutput', 'wal2arrow'");
  const bool pgoutput = Contains(error.message, "\"pgoutput\"");
  return {ErrorKind::kPluginNotAllowed, pgoutput ? "plugin pgoutput" : "plugin wal2arrow",
          "a superuser must allow it, then connect anew: " + sql +
              "  (with a literal more for each other plugin that the role uses; 'arrowcdc setup --plugin "
              "wal2arrow --print-sql' prints it with these)"};
}

Finding Permission(const ServerError& error, const ErrorContext& context) {
  const std::string role = RoleIdentifier(context.user);
  Finding finding{ErrorKind::kPermission, Named("role", context.user), "", false};
  if (Contains(error.message, "output plugin") || Contains(error.hint, "output_plugin_libraries") ||
      (Contains(error.message, "output_plugin_libraries") &&
       !Contains(error.message, "pg_read_all_settings"))) {
    return PluginNotAllowed(error, context);
  }
  if (error.function == "CheckSlotPermissions" || error.function == "InitPostgres" ||
      ContainsAny(error.message, {"replication role", "replication slots", "WAL sender", "walsender"})) {
    finding.remedy = "a superuser must run: ALTER ROLE " + role +
                     " REPLICATION (managed services have a role to grant for it)";
  } else if (context.action == Action::kPublication && Contains(error.message, "database")) {
    finding.remedy = "the owner of the database must run: GRANT CREATE ON DATABASE " +
                     RoleIdentifier(context.database) + " TO " + role;
  } else if (context.action == Action::kPublication) {
    finding.remedy =
        "run it as the owner of the tables and of the publication, or let that owner run the SQL that "
        "--print-sql prints";
  } else {
    finding.remedy = "grant the role what the message names";
  }
  return finding;
}

Finding UndefinedObject(const ServerError& error, const ErrorContext& context) {
  if (Contains(error.function, "ReplicationSlot") || Contains(error.message, "replication slot")) {
    return {ErrorKind::kSlotMissing, Named("slot", context.slot), kMakeSlot};
  }
  if (ContainsAny(error.message, {"ublication"}) || Contains(error.function, "ublication") ||
      context.action == Action::kStream) {
    const std::string fallback = context.publications.empty() ? "" : context.publications.front();
    if (context.action != Action::kStream) {
      return {ErrorKind::kPublicationMissing, Named("publication", QuotedIn(error.message, fallback)),
              "it is gone: run 'arrowcdc setup' to see what is there"};
    }
    return {
        ErrorKind::kPublicationMissing, Named("publication", QuotedIn(error.message, fallback)),
        "the slot has come to a change that was made while there was no such publication; what came before "
        "it was "
        "delivered. Run 'arrowcdc setup' with the same options: it tells which publication still covers the "
        "tables, or from where on the slot can be read again and what is lost"};
  }
  return {ErrorKind::kInternal, ServerObject(context), ""};
}

Finding ObjectNotInState(const ServerError& error, const ErrorContext& context) {
  const std::string slot = Named("slot", context.slot);
  if (Contains(error.message, "wal_level") || Contains(error.hint, "wal_level")) {
    return {ErrorKind::kServerSetting, "setting wal_level",
            "set wal_level = logical and restart the server (ALTER SYSTEM SET wal_level = 'logical')"};
  }
  if (ContainsAny(error.message, {"max_replication_slots", "max_wal_senders"})) {
    return {ErrorKind::kServerSetting,
            "setting " + std::string(Contains(error.message, "max_wal_senders") ? "max_wal_senders"
                                                                                : "max_replication_slots"),
            "raise it and restart the server"};
  }
  if (Contains(error.message, "was not created in this database")) {
    return {ErrorKind::kSlotMismatch, slot,
            "connect to the database that the slot was made in, or choose another slot"};
  }
  if (Contains(error.message, "physical replication slot")) {
    return {ErrorKind::kSlotMismatch, slot, "it is a physical slot: choose another name with --slot"};
  }
  if (ContainsAny(error.message + error.detail,
                  {"can no longer get changes", "invalidated", "can no longer access"}) ||
      error.function == "StartLogicalReplication") {
    return {ErrorKind::kSlotInvalidated, slot, kNewSlot};
  }
  if (Contains(error.message, "database connection")) {
    return {ErrorKind::kUnsupported, ServerObject(context),
            "connect to the server itself, not through a pooler"};
  }
  return {ErrorKind::kInternal, ServerObject(context), ""};
}

Finding FileMissing(const ServerError& error, const ErrorContext& context) {
  if (Contains(error.message, "wal2arrow"))
    return {ErrorKind::kPluginMissing, "plugin wal2arrow", kInstallPlugin};
  if (Contains(error.message, "WAL segment"))
    return {ErrorKind::kSlotInvalidated, Named("slot", context.slot), kNewSlot};
  return {ErrorKind::kInternal, ServerObject(context), "see the server's log", true};
}

// An error in the data that pgoutput met while it looked at a change: its own code raises such an error where
// text cannot be converted; everything else is a row filter's or an output function's. The plugin's and the
// callback's names are in every language.
bool IsRaisedByFilter(const ServerError& error, const ErrorContext& context) {
  constexpr char kUntranslatableCharacter[] = "22P05";
  constexpr char kCharacterNotInRepertoire[] = "22021";
  return context.action == Action::kStream && error.sqlstate.starts_with("22") &&
         error.sqlstate != kUntranslatableCharacter && error.sqlstate != kCharacterNotInRepertoire &&
         Contains(error.context, "pgoutput") && Contains(error.context, "change");
}

// What was met stays as it was written: nothing that is changed now helps at that place.
std::string WayOut(const std::string& publication, const std::string& change, const ErrorContext& context) {
  return "If another publication has had the table " + publication +
         " all along, stream with that one (--publication). Else " + change +
         ", start the stream again (it ends here again once all earlier changes are delivered), run SELECT "
         "pg_replication_slot_advance('" +
         context.slot +
         "', pg_current_wal_lsn()), and go on with --accept-gap: changes of all tables between here and that "
         "position are lost";
}

Finding RaisingFilter(const ErrorContext& context) {
  return {
      ErrorKind::kUnsupported, Named("slot", context.slot),
      "a row filter (WHERE) of the publication raises an error for a row, as a division by zero does, or the "
      "output function of a type that a user or an extension made, and pgoutput cannot pass it. " +
          WayOut("without the filter or the column",
                 "give the filter a form that cannot fail, or leave the "
                 "column out",
                 context) +
          ". With the plugin wal2arrow, on a slot of its own, such rows come unfiltered, and such values are "
          "null and named in _unrepresentable"};
}

// In pgoutput, whose words are translated.
bool IsOfColumnLists(const ServerError& error, const ErrorContext& context) {
  return context.action == Action::kStream && error.sqlstate == "0A000" &&
         (error.function == "pgoutput_column_list_init" || error.function == "check_and_init_gencol");
}

Finding DifferentColumnLists(const ServerError& error, const ErrorContext& context) {
  return {ErrorKind::kUnsupported, "table " + QuotedIn(error.message, ""),
          WayOut("with one list of columns", "make the column lists equal", context)};
}

// "unsupported startup parameter: replication", "unsupported startup parameter in options: search_path":
// PgBouncer's words, and those of services that run it.
std::string PoolerRemedy(const std::string& message) {
  if (Contains(message, ": replication")) {
    return "what answers is PgBouncer, older than 1.23 or made by another, which passes no replication "
           "connections on: connect to the server itself";
  }
  return "what answers is PgBouncer, which keeps the settings of a session from the server: connect to the "
         "server itself (replication connections alone pass PgBouncer 1.23 and later in session mode, and "
         "setup and the plugin pgoutput need others, too)";
}

Finding OfClass(const ServerError& error, const ErrorContext& context) {
  const std::string state_class = error.sqlstate.substr(0, 2);
  if (state_class == "08") {
    if (Contains(error.message, "replication"))
      return {ErrorKind::kUnsupported, ServerObject(context), kNoReplication};
    return {ErrorKind::kConnection, ServerObject(context), "it will be tried again", true};
  }
  if (state_class == "57") {
    return {ErrorKind::kConnection, ServerObject(context),
            "the server is starting, stopping or was told to end this session", true};
  }
  if (state_class == "53" || state_class == "58" || state_class == "40") {
    return {ErrorKind::kConnection, ServerObject(context), "see the server's log (memory, disk, load)", true};
  }
  if (state_class == "28") return Authentication(error, context);
  return {ErrorKind::kInternal, ServerObject(context), "see the server's log"};
}

Finding Find(const ServerError& error, const ErrorContext& context) {
  const std::string& state = error.sqlstate;
  if (state == "42501") return Permission(error, context);
  if (state == "42704") return UndefinedObject(error, context);
  if (state == "55000") return ObjectNotInState(error, context);
  if (state == "58P01") return FileMissing(error, context);
  const bool streaming = context.action == Action::kStream;
  if (streaming && (state == "22P05" || state == "22021")) {
    return {ErrorKind::kUnsupported, Named("slot", context.slot),
            "pgoutput has come to text that has no UTF-8 form, or is not valid in the database's encoding; "
            "nothing behind it was acknowledged. The plugin wal2arrow passes such rows on, on a slot of its "
            "own (docs/managed.md); or the rows' table is taken out of the publication"};
  }
  if (streaming && (state == "54000" || Contains(error.message, "invalid memory alloc request size"))) {
    return {ErrorKind::kUnsupported, Named("slot", context.slot),
            "pgoutput has come to a row that takes more than 1 GB in one message, which PostgreSQL cannot "
            "send; nothing behind it was acknowledged. The plugin wal2arrow can, on a slot of its own "
            "(docs/managed.md); or the row's table is taken out of the publication"};
  }
  if (streaming && state == format::kCatalogLost) {
    return {ErrorKind::kUnsupported, Named("slot", context.slot),
            "the stream goes on in a new session, in which the server keeps transactions until they commit",
            true};
  }
  if (state == "55006") {
    const std::string pid = PidIn(error.message);
    return {ErrorKind::kSlotActive, Named("slot", context.slot),
            "another client reads it" +
                (pid.empty() ? "" : " (server process " + pid + ", see pg_stat_activity)") +
                ": stop that one, or use a slot of your own",
            true};
  }
  const bool changing = context.action == Action::kCreateSlot || context.action == Action::kDropSlot ||
                        context.action == Action::kPublication;
  if (changing && (state == "42710" || state == "23505" ||
                   (state == "XX000" && Contains(error.message, "concurrently")))) {
    return {ErrorKind::kBusy, ServerObject(context),
            "somebody else changes the same slot or publication at this moment: run it again", true};
  }
  if (state == "53300") {
    return {ErrorKind::kServerSetting, ServerObject(context),
            "all connections or WAL senders are taken: end some, or raise max_connections or max_wal_senders",
            true};
  }
  if (state == "53400") {
    return {ErrorKind::kServerSetting, "setting max_replication_slots",
            "drop slots that nobody uses (pg_replication_slots), or raise max_replication_slots and restart "
            "the server"};
  }
  if (state == "3D000") {
    return {ErrorKind::kInvalidOption, Named("database", context.database),
            "name an existing database in the connection string"};
  }
  if (state == "55P03" || (state == "57014" && context.action != Action::kStream)) {
    return {ErrorKind::kBusy, ServerObject(context),
            "another session holds a lock or a transaction open: try again", true};
  }
  if (context.action == Action::kStream && state == "0A000" &&
      Contains(error.message, "at this point of the WAL")) {
    // The plugin's own words, which are never translated: it knows what was met, and the way out.
    return {ErrorKind::kUnsupported, Named("publication", QuotedIn(error.message, "")), OneLine(error.hint)};
  }
  if (IsRaisedByFilter(error, context)) return RaisingFilter(context);
  if (IsOfColumnLists(error, context)) return DifferentColumnLists(error, context);
  if (state == "25006" || (state == "0A000" && Contains(error.message, "recovery"))) {
    return {ErrorKind::kUnsupported, ServerObject(context), "this is a standby: connect to the primary"};
  }
  if (Contains(error.message, "wal2arrow") &&
      ContainsAny(error.message, {"load library", "incompatible library"})) {
    return {ErrorKind::kPluginMissing, "plugin wal2arrow",
            "build it for this server's version: 'make install-plugin' with its pg_config"};
  }
  if (context.action == Action::kStream && (state == "0A000" || state == "22023")) {
    return {ErrorKind::kUnsupported, "plugin wal2arrow",
            Contains(error.message, "option \"messages\"")
                ? "the server's plugin is too old to send logical messages: install there that of this "
                  "version, or stream without --messages"
                : "plugin and client do not fit together: install the same version of both"};
  }
  // A pooler that swallows `replication` gives an ordinary session, which does not know the command.
  if (state == "42601" && Contains(error.message, "IDENTIFY_SYSTEM"))
    return {ErrorKind::kUnsupported, ServerObject(context), kNoReplication};
  if (context.action == Action::kConnect && Contains(error.message, "startup parameter"))
    return {ErrorKind::kUnsupported, ServerObject(context), PoolerRemedy(error.message)};
  return OfClass(error, context);
}

// Data exceptions and user functions may quote values.
bool MayCarryValues(const ServerError& error, const ErrorContext& context) {
  const std::string state_class = error.sqlstate.substr(0, 2);
  if (error.sqlstate == "22023") return false;  // raised for options
  return context.action == Action::kStream &&
         (state_class == "22" || state_class == "23" || state_class == "P0");
}

const char* ActionText(Action action) {
  switch (action) {
    case Action::kConnect:
      return "could not connect";
    case Action::kQuery:
      return "a query failed";
    case Action::kCreateSlot:
      return "could not make the slot";
    case Action::kDropSlot:
      return "could not drop the slot";
    case Action::kPublication:
      return "could not change the publication";
    case Action::kStream:
      return "the stream failed";
  }
  return "";
}

std::string Field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? "" : value;
}

bool IsSqlState(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(),
                                         [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
}

// libpq's verbose text of a failed connection: '...failed: FATAL:  28P01: text\nHINT:  ...\nLOCATION:
// file...'. With several hosts there are several; the last one counts.
ServerError ParseVerbose(const std::string& text) {
  ServerError error;
  size_t from = 0;
  for (size_t at = text.find(":  "); at != std::string::npos; at = text.find(":  ", at + 1)) {
    if (at + 10 > text.size() || text.compare(at + 8, 2, ": ") != 0) continue;
    if (!IsSqlState(std::string_view(text).substr(at + 3, 5))) continue;
    error.sqlstate = text.substr(at + 3, 5);
    from = at + 10;
  }
  if (error.sqlstate.empty()) return error;
  const size_t end = text.find('\n', from);
  error.message = text.substr(from, end == std::string::npos ? end : end - from);
  if (end != std::string::npos) error.hint = text.substr(end + 1);
  return error;
}

// What libpq says of an option that it cannot use, without the option's value; else empty.
std::string BadOption(const std::string& text) {
  for (const std::string_view sign : {" value: \"", "integer value \""}) {
    const size_t at = text.find(sign);
    if (at == std::string::npos) continue;
    const size_t name = text.rfind(" for connection option \"");
    const size_t kept = text.find(" value", at) + std::string_view(" value").size();
    return OneLine(text.substr(0, kept) + (name == std::string::npos ? "" : text.substr(name)));
  }
  return "";
}

// What a server of another kind sends first is no answer of PostgreSQL's.
bool IsOtherServer(const std::string& text) {
  return ContainsAny(text, {"received invalid response to SSL negotiation",
                            "received invalid response to GSSAPI negotiation",
                            "expected authentication request from server, but received"});
}

Finding FindTls(const std::string& text, const ErrorContext& context) {
  Finding finding{ErrorKind::kTls, ServerObject(context), "", false};
  if (Contains(text, "root certificate file") || Contains(text, "root.crt")) {
    finding.remedy =
        "without an sslmode of your own a remote server's certificate is checked (verify-full): name the "
        "file of the authority that signed it with "
        "sslrootcert=FILE (for public ones /etc/ssl/certs/ca-certificates.crt); sslmode=require encrypts "
        "without checking who answers, "
        "sslmode=disable does not encrypt";
  } else if (Contains(text, "does not support SSL")) {
    finding.remedy =
        "switch TLS on in the server (ssl = on), or say sslmode=disable if the network is trusted: data and "
        "password go in clear then";
  } else if (Contains(text, "does not match host name")) {
    finding.remedy =
        "connect by the name that the certificate carries (hostaddr=IP can be added), or use "
        "sslmode=verify-ca";
  } else {
    finding.remedy =
        "check the server's certificate and sslrootcert=FILE; sslmode=require encrypts without checking who "
        "answers";
  }
  return finding;
}

}  // namespace

arrow::Status ClassifyServerError(const ServerError& error, const ErrorContext& context) {
  const Finding finding = Find(error, context);
  std::string message = ActionText(context.action);
  message += MayCarryValues(error, context) ? ": the server met an error in the data; its log says more"
                                            : ": " + OneLine(error.message);
  return MakeError(finding.kind, message, finding.object, finding.remedy, error.sqlstate, finding.retryable);
}

arrow::Status ErrorFromResult(const PGresult* result, PGconn* connection, const ErrorContext& context) {
  ServerError error;
  if (result != nullptr) {
    error = {Field(result, PG_DIAG_SQLSTATE),        Field(result, PG_DIAG_MESSAGE_PRIMARY),
             Field(result, PG_DIAG_MESSAGE_DETAIL),  Field(result, PG_DIAG_MESSAGE_HINT),
             Field(result, PG_DIAG_SOURCE_FUNCTION), Field(result, PG_DIAG_CONTEXT)};
  }
  if (error.sqlstate.empty()) return ErrorFromConnection(connection, context);
  return ClassifyServerError(error, context);
}

arrow::Status ErrorFromConnection(PGconn* connection, const ErrorContext& context) {
  const char* text = connection == nullptr ? "out of memory" : PQerrorMessage(connection);
  return ClassifyConnectionError(text, connection != nullptr && PQconnectionNeedsPassword(connection) != 0,
                                 context);
}

arrow::Status ClassifyConnectionError(const std::string& text, bool needs_password,
                                      const ErrorContext& context) {
  const ServerError error = ParseVerbose(text);
  if (!error.sqlstate.empty()) return ClassifyServerError(error, context);
  const std::string message = std::string(ActionText(context.action)) + ": " +
                              (text.empty() ? "the connection is closed" : OneLine(text));
  if (needs_password) {
    return MakeError(ErrorKind::kAuthentication, message, Named("role", context.user),
                     "give the password in PGPASSWORD or ~/.pgpass (mode 0600)");
  }
  if (const std::string reason = BadOption(text); !reason.empty()) {
    return MakeError(ErrorKind::kInvalidOption, std::string(ActionText(context.action)) + ": " + reason,
                     "connection string", "correct this option of the connection string");
  }
  if (IsOtherServer(text)) {
    return MakeError(ErrorKind::kConnection, message, ServerObject(context),
                     "what answers there is no PostgreSQL: check host and port; for MySQL and MariaDB the "
                     "source is a URL of theirs, mysql://USER@HOST:PORT/");
  }
  const bool cut = ContainsAny(
      text, {"SSL SYSCALL", "closed the connection", "closed unexpectedly", "Connection refused"});
  if (!cut && ContainsAny(text, {"SSL", "certificate", "TLS", "root.crt"})) {
    const Finding finding = FindTls(text, context);
    return MakeError(finding.kind, message, finding.object, finding.remedy);
  }
  return MakeError(ErrorKind::kConnection, message, ServerObject(context),
                   "check host, port and that the server runs and is reachable", "", true);
}

}  // namespace arrowcdc::postgres
