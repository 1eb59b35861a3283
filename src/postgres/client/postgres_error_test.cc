// Texts of servers and libpq (taken from PostgreSQL 15.20, other languages and versions from its sources) ->
// typed errors.
#include "src/postgres/client/postgres_error.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

using Action = ErrorContext::Action;

ErrorContext Context(Action action) {
  ErrorContext context;
  context.action = action;
  context.server = "db.example:5432";
  context.user = "Cdc";
  context.database = "shop";
  context.slot = "arrowcdc";
  context.publications = {"arrowcdc"};
  return context;
}

struct Case {
  const char* name;
  Action action;
  ServerError error;
  ErrorKind kind;
  const char* object;
  const char* remedy_part;
  bool retryable = false;
};

const Case kCases[] = {
    {"slot missing",
     Action::kStream,
     {"42704", "replication slot \"arrowcdc\" does not exist", "", "", "ReplicationSlotAcquire"},
     ErrorKind::kSlotMissing,
     "slot \"arrowcdc\"",
     "arrowcdc setup"},
    {"slot missing, German",
     Action::kStream,
     {"42704", "Replikations-Slot »arrowcdc« existiert nicht", "", "", "ReplicationSlotAcquire"},
     ErrorKind::kSlotMissing,
     "slot \"arrowcdc\"",
     "arrowcdc setup"},
    {"a row that no message holds",
     Action::kStream,
     {"54000", "out of memory", "Cannot enlarge string buffer containing 1073741822 bytes by 1 more bytes.",
      "", "enlargeStringInfo"},
     ErrorKind::kUnsupported,
     "slot \"arrowcdc\"",
     "1 GB"},
    {"a value that no message holds",
     Action::kStream,
     {"XX000", "invalid memory alloc request size 1174405123", "", "", "palloc"},
     ErrorKind::kUnsupported,
     "slot \"arrowcdc\"",
     "1 GB"},
    {"publication missing",
     Action::kStream,
     {"42704", "publication \"p2\" does not exist", "", "", "get_publication_oid"},
     ErrorKind::kPublicationMissing,
     "publication \"p2\"",
     "'arrowcdc setup'"},
    {"publication missing, German",
     Action::kStream,
     {"42704", "Publikation »p2« existiert nicht", "", "", "get_publication_oid"},
     ErrorKind::kPublicationMissing,
     "publication \"arrowcdc\"",
     "'arrowcdc setup'"},
    {"slot active",
     Action::kStream,
     {"55006", "replication slot \"s1\" is active for PID 4711", "", "", "ReplicationSlotAcquire"},
     ErrorKind::kSlotActive,
     "slot \"arrowcdc\"",
     "process 4711",
     true},
    {"invalidated",
     Action::kStream,
     {"55000", "cannot read from logical replication slot \"s\"",
      "This slot has been invalidated because it exceeded the maximum reserved size.", "",
      "StartLogicalReplication"},
     ErrorKind::kSlotInvalidated,
     "slot \"arrowcdc\"",
     "teardown"},
    {"invalidated, 18",
     Action::kStream,
     {"55000", "can no longer access replication slot \"s\"",
      "This replication slot has been invalidated due to \"wal_removed\".", "", "RaiseSlotInvalidationError"},
     ErrorKind::kSlotInvalidated,
     "slot \"arrowcdc\"",
     "teardown"},
    {"WAL gone",
     Action::kStream,
     {"58P01", "requested WAL segment 000000010000000000000001 has already been removed", "", "",
      "WalSndSegmentOpen"},
     ErrorKind::kSlotInvalidated,
     "slot \"arrowcdc\"",
     "teardown"},
    {"other database",
     Action::kStream,
     {"55000", "replication slot \"s\" was not created in this database", "", "", "CreateDecodingContext"},
     ErrorKind::kSlotMismatch,
     "slot \"arrowcdc\"",
     "database"},
    {"physical",
     Action::kStream,
     {"55000", "cannot use physical replication slot for logical decoding", "", "", "CreateDecodingContext"},
     ErrorKind::kSlotMismatch,
     "slot \"arrowcdc\"",
     "physical"},
    {"wal_level",
     Action::kCreateSlot,
     {"55000", "logical decoding requires wal_level >= logical", "", "", "CheckLogicalDecodingRequirements"},
     ErrorKind::kServerSetting,
     "setting wal_level",
     "wal_level = logical"},
    {"no slots",
     Action::kCreateSlot,
     {"53400", "all replication slots are in use", "", "Free one or increase max_replication_slots.",
      "ReplicationSlotCreate"},
     ErrorKind::kServerSetting,
     "setting max_replication_slots",
     "max_replication_slots"},
    {"no senders",
     Action::kConnect,
     {"53300", "number of requested standby connections exceeds max_wal_senders (currently 1)", "", "",
      "InitProcess"},
     ErrorKind::kServerSetting,
     "server db.example:5432",
     "max_wal_senders",
     true},
    {"plugin missing",
     Action::kCreateSlot,
     {"58P01", "could not access file \"wal2arrow\": No such file or directory", "", "",
      "internal_load_library"},
     ErrorKind::kPluginMissing,
     "plugin wal2arrow",
     "make install-plugin"},
    {"plugin of another version",
     Action::kCreateSlot,
     {"XX000", "incompatible library \"/usr/lib/wal2arrow.so\": version mismatch", "", "",
      "incompatible_module_error"},
     ErrorKind::kPluginMissing,
     "plugin wal2arrow",
     "this server's version"},
    {"plugin not allowed",
     Action::kCreateSlot,
     {"42501", "library \"wal2arrow\" may not be used as an output plugin", "",
      "If it is safe for all REPLICATION users to use this library as an output plugin, add it to "
      "\"output_plugin_libraries\" and reload the server configuration.",
      "StartupDecodingContext"},
     ErrorKind::kPluginNotAllowed,
     "plugin wal2arrow",
     "ALTER ROLE \"Cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'"},
    {"no replication role",
     Action::kCreateSlot,
     {"42501", "must be superuser or replication role to use replication slots", "", "",
      "CheckSlotPermissions"},
     ErrorKind::kPermission,
     "role \"Cdc\"",
     "ALTER ROLE \"Cdc\" REPLICATION"},
    {"no replication role, 16",
     Action::kConnect,
     {"42501", "permission denied to start WAL sender",
      "Only roles with the REPLICATION attribute may start a WAL sender process.", "", "InitPostgres"},
     ErrorKind::kPermission,
     "role \"Cdc\"",
     "ALTER ROLE \"Cdc\" REPLICATION"},
    {"no CREATE",
     Action::kPublication,
     {"42501", "permission denied for database shop", "", "", "aclcheck_error"},
     ErrorKind::kPermission,
     "role \"Cdc\"",
     "GRANT CREATE ON DATABASE \"shop\" TO \"Cdc\""},
    {"not owner",
     Action::kPublication,
     {"42501", "must be owner of table t", "", "", "aclcheck_error"},
     ErrorKind::kPermission,
     "role \"Cdc\"",
     "owner of the tables"},
    {"password",
     Action::kConnect,
     {"28P01", "password authentication failed for user \"Cdc\"", "", "", "auth_failed"},
     ErrorKind::kAuthentication,
     "role \"Cdc\"",
     "PGPASSWORD"},
    {"pg_hba",
     Action::kConnect,
     {"28000", "no pg_hba.conf entry for host \"10.0.0.1\", user \"Cdc\", database \"shop\", no encryption",
      "", "", "ClientAuthentication"},
     ErrorKind::kAuthentication,
     "role \"Cdc\"",
     "not the keyword 'replication'"},
    {"no database",
     Action::kConnect,
     {"3D000", "database \"shop\" does not exist", "", "", "InitPostgres"},
     ErrorKind::kInvalidOption,
     "database \"shop\"",
     "existing database"},
    {"starting",
     Action::kConnect,
     {"57P03", "the database system is starting up", "", "", "ProcessStartupPacket"},
     ErrorKind::kConnection,
     "server db.example:5432",
     "",
     true},
    {"terminated",
     Action::kStream,
     {"57P01", "terminating connection due to administrator command", "", "", "ProcessInterrupts"},
     ErrorKind::kConnection,
     "server db.example:5432",
     "",
     true},
    {"server's disk full",
     Action::kStream,
     {"53100", "could not write to file: No space left on device", "", "", "x"},
     ErrorKind::kConnection,
     "server db.example:5432",
     "server's log",
     true},
    {"peer",
     Action::kConnect,
     {"28000", "Peer authentication failed for user \"Cdc\"", "", "", "auth_failed"},
     ErrorKind::kAuthentication,
     "role \"Cdc\"",
     "host=localhost"},
    {"pooler_without_replication",
     Action::kQuery,
     {"42601", "syntax error at or near \"IDENTIFY_SYSTEM\"", "", "", "scanner_yyerror"},
     ErrorKind::kUnsupported,
     "server db.example:5432",
     "a pooler?"},
    {"made_by_another_setup",
     Action::kCreateSlot,
     {"42710", "replication slot \"s\" already exists", "", "", "ReplicationSlotCreate"},
     ErrorKind::kBusy,
     "server db.example:5432",
     "run it again",
     true},
    {"pooler",
     Action::kConnect,
     {"08P01", "unsupported startup parameter: replication", "", "", ""},
     ErrorKind::kUnsupported,
     "server db.example:5432",
     "PgBouncer, older than 1.23"},
    {"pooler_1_18_options",
     Action::kConnect,
     {"08P01", "unsupported startup parameter: options", "", "", ""},
     ErrorKind::kUnsupported,
     "server db.example:5432",
     "keeps the settings of a session"},
    {"pooler_1_24_options",
     Action::kConnect,
     {"08P01", "unsupported startup parameter in options: search_path", "", "", ""},
     ErrorKind::kUnsupported,
     "server db.example:5432",
     "keeps the settings of a session"},
    {"standby",
     Action::kCreateSlot,
     {"0A000", "logical decoding cannot be used while in recovery", "", "",
      "CheckLogicalDecodingRequirements"},
     ErrorKind::kUnsupported,
     "server db.example:5432",
     "primary"},
    {"lock",
     Action::kPublication,
     {"55P03", "canceling statement due to lock timeout", "", "", "ProcessInterrupts"},
     ErrorKind::kBusy,
     "server db.example:5432",
     "lock",
     true},
    {"column lists",
     Action::kStream,
     {"0A000",
      "publications \"p\" and \"q\" send different columns of table \"public.recovery\" at this point of the "
      "WAL",
      "", "Run SELECT pg_replication_slot_advance('s', pg_current_wal_lsn()).", "RefuseDifference"},
     ErrorKind::kUnsupported,
     "publication \"p\"",
     "Run SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())."},
    {"column lists of pgoutput",
     Action::kStream,
     {"0A000", "cannot use different column lists for table \"public.t\" in different publications", "", "",
      "pgoutput_column_list_init"},
     ErrorKind::kUnsupported,
     "table public.t",
     "make the column lists equal"},
    {"plugin option",
     Action::kStream,
     {"22023", "unrecognized option", "", "", "x"},
     ErrorKind::kUnsupported,
     "plugin wal2arrow",
     "same version"},
    {"plugin without logical messages",
     Action::kStream,
     {"22023", "wal2arrow has no option \"messages\"", "", "", "FindOption"},
     ErrorKind::kUnsupported,
     "plugin wal2arrow",
     "stream without --messages"},
    {"bug",
     Action::kQuery,
     {"XX000", "cache lookup failed", "", "", "x"},
     ErrorKind::kInternal,
     "server db.example:5432",
     "log"},
};

TEST(PostgresError, ServerErrorsAreTyped) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const arrow::Status status = ClassifyServerError(c.error, Context(c.action));
    const ErrorDetail* detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr);
    EXPECT_EQ(detail->kind(), c.kind) << status.ToString();
    EXPECT_EQ(detail->object(), c.object);
    EXPECT_NE(detail->remedy().find(c.remedy_part), std::string::npos) << detail->remedy();
    EXPECT_EQ(detail->sqlstate(), c.error.sqlstate);
    EXPECT_EQ(detail->retryable(), c.retryable);
    EXPECT_NE(status.message().find(c.error.message), std::string::npos);
  }
}

TEST(PostgresError, ValuesInStreamErrorsAreNotRepeated) {
  const ServerError error{"22P02", "invalid input syntax for type integer: \"secret value\"",
                          "Failing row contains (secret value).", "", "x"};
  const arrow::Status status = ClassifyServerError(error, Context(Action::kStream));
  EXPECT_EQ(status.ToString().find("secret"), std::string::npos) << status.ToString();
}

TEST(PostgresError, RowFiltersThatRaiseAnError) {
  const auto classify = [](const std::string& sqlstate, const std::string& context) {
    return ClassifyServerError({sqlstate, "division by zero", "", "", "int4div", context},
                               Context(Action::kStream));
  };
  for (const char* const context :
       {"slot \"arrowcdc\", output plugin \"pgoutput\", in the change callback, associated LSN 0/15D4C40",
        "Slot »arrowcdc«, Ausgabe-Plugin »pgoutput«, im Callback change, zugehörige LSN 0/15D4C40"}) {
    const arrow::Status status = classify("22012", context);
    EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kUnsupported);
    EXPECT_NE(GetErrorDetail(status)->remedy().find("row filter"), std::string::npos);
    EXPECT_NE(GetErrorDetail(status)->remedy().find("pg_replication_slot_advance('arrowcdc'"),
              std::string::npos);
    EXPECT_FALSE(GetErrorDetail(status)->retryable());
    EXPECT_EQ(GetErrorDetail(classify("22P05", context))->remedy().find("row filter"), std::string::npos);
  }
  EXPECT_EQ(GetErrorDetail(classify("22012", ""))->kind(), ErrorKind::kInternal);
}

TEST(PostgresError, TextThatCannotBeSentAsUtf8) {
  for (const ServerError& error :
       {ServerError{"22P05",
                    "character with byte sequence 0xa9 0xa1 in encoding \"EUC_JP\" has no equivalent in "
                    "encoding \"UTF8\"",
                    "", "", "report_untranslatable_char", ""},
        ServerError{"22021", "invalid byte sequence for encoding \"UTF8\": 0xa9", "", "",
                    "report_invalid_encoding", ""}}) {
    const arrow::Status status = ClassifyServerError(error, Context(Action::kStream));
    const ErrorDetail* detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr);
    EXPECT_EQ(detail->kind(), ErrorKind::kUnsupported);
    EXPECT_FALSE(detail->retryable());
    EXPECT_NE(detail->remedy().find("wal2arrow"), std::string::npos) << detail->remedy();
    EXPECT_EQ(status.ToString().find("0xa9"), std::string::npos) << status.ToString();
  }
}

TEST(PostgresError, ConnectionTexts) {
  struct {
    const char* text;
    ErrorKind kind;
    bool retryable;
    const char* sqlstate;
    const char* remedy_part;
  } const cases[] = {
      {"connection to server at \"db.example\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
       "authentication failed for user \"Cdc\"\n"
       "LOCATION:  auth_failed, auth.c:334\n",
       ErrorKind::kAuthentication, false, "28P01", "PGPASSWORD"},
      {"connection to server on socket \"/tmp/.s.PGSQL.5432\" failed: SCHWERWIEGEND:  57P03: das "
       "Datenbanksystem startet\n",
       ErrorKind::kConnection, true, "57P03", ""},
      {"connection to server at \"a\", port 1 failed: FATAL:  57P03: starting\nconnection to server at "
       "\"b\", port 1 failed: FATAL:  28000: "
       "no pg_hba.conf entry for host \"b\", user \"u\", database \"d\", no encryption\n",
       ErrorKind::kAuthentication, false, "28000", "sslmode=verify-full"},
      {"connection to server at \"h\", port 5432 failed: Connection refused\n\tIs the server running on that "
       "host and accepting TCP/IP connections?\n",
       ErrorKind::kConnection, true, "", "server runs"},
      {"could not translate host name \"h\" to address: Name or service not known\n", ErrorKind::kConnection,
       true, "", "host"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: root certificate file "
       "\"/home/cdc/.postgresql/root.crt\" does not exist\n"
       "Either provide the file or change sslmode to disable server certificate verification.\n",
       ErrorKind::kTls, false, "", "sslrootcert=FILE"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: server does not support SSL, but SSL was "
       "required\n",
       ErrorKind::kTls, false, "", "ssl = on"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: SSL error: certificate verify failed\n",
       ErrorKind::kTls, false, "", "sslrootcert"},
      {"connection to server at \"h\" (10.0.0.1), port 5432 failed: server certificate for \"x\" does not "
       "match host name \"h\"\n",
       ErrorKind::kTls, false, "", "name that the certificate carries"},
      {"connection to server at \"h\" (10.0.0.1), port 3306 failed: received invalid response to SSL "
       "negotiation: K\n",
       ErrorKind::kConnection, false, "", "mysql://"},
      {"connection to server at \"h\" (10.0.0.1), port 3306 failed: expected authentication request from "
       "server, but received K\n",
       ErrorKind::kConnection, false, "", "mysql://"},
      {"SSL SYSCALL error: EOF detected\n", ErrorKind::kConnection, true, "", ""},
      {"server closed the connection unexpectedly\n", ErrorKind::kConnection, true, "", ""},
      {"invalid sslmode value: \"bogus\"\n", ErrorKind::kInvalidOption, false, "", "connection string"},
      {"invalid integer value \"bogus\" for connection option \"connect_timeout\"\n",
       ErrorKind::kInvalidOption, false, "", "connection string"},
      {"", ErrorKind::kConnection, true, "", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const arrow::Status status = ClassifyConnectionError(c.text, false, Context(Action::kConnect));
    const ErrorDetail* detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr);
    EXPECT_EQ(detail->kind(), c.kind);
    EXPECT_EQ(detail->retryable(), c.retryable);
    EXPECT_EQ(detail->sqlstate(), c.sqlstate);
    EXPECT_NE(detail->remedy().find(c.remedy_part), std::string::npos) << detail->remedy();
    EXPECT_EQ(status.message().find("LOCATION"), std::string::npos);
    EXPECT_EQ(status.message().find("bogus"), std::string::npos) << status;
  }
  EXPECT_EQ(GetErrorDetail(ClassifyConnectionError("fe_sendauth: no password supplied\n", true,
                                                   Context(Action::kConnect)))
                ->kind(),
            ErrorKind::kAuthentication);
}

TEST(PostgresError, LinesOfTheClientLibraryBecomeSentences) {
  const auto message = [](const char* text) {
    return ClassifyConnectionError(text, false, Context(Action::kConnect)).message();
  };
  EXPECT_NE(message("connection to server at \"h\", port 5432 failed: Connection refused\n\tIs the server "
                    "running on that host and accepting TCP/IP connections?\n"
                    "connection to server at \"i\", port 5432 failed: No route to host\n")
                .find("Connection refused. Is the server running on that host and accepting TCP/IP "
                      "connections? connection to server at \"i\", port 5432 failed: No route to host"),
            std::string::npos);
  EXPECT_NE(message("server closed the connection unexpectedly\n\tThis probably means the server terminated "
                    "abnormally\n\tbefore or while processing the request.\n")
                .find("unexpectedly. This probably means the server terminated abnormally before or while "
                      "processing the request."),
            std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
