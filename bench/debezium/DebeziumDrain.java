// Debezium's embedded engine as one client of the benchmark: reads a slot with pgoutput, with --snapshot the rows
// that a table has, or with --mysql a MySQL's binary log from its beginning; counts the records, drops them. Started
// by arrowcdc_bench and arrowcdc_bench_mysql, with the same arguments and the same lines on stdout as the clients of
// the former (bench/drain_process.h).

import com.sun.management.OperatingSystemMXBean;
import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.MemoryOffsetBackingStore;

public final class DebeziumDrain {
  private static final String PUBLICATION = "arrowcdc_bench";

  private final Map<String, String> options = new HashMap<>();
  private final Map<String, String> server = new HashMap<>(); // libpq's keywords
  private final long rowsExpected;

  private DebeziumDrain(String[] arguments) {
    for (String argument : arguments) {
      String[] parts = argument.split("=", 2);
      options.put(parts[0], parts.length == 2 ? parts[1] : "");
    }
    for (String keyword : options.get("--conninfo").split(" ")) {
      String[] parts = keyword.split("=", 2);
      server.put(parts[0], parts[1]);
    }
    rowsExpected = Long.parseLong(options.get("--rows"));
  }

  private boolean copies() {
    return options.containsKey("--snapshot");
  }

  private boolean keepsLatencies() {
    return options.containsKey("--latencies");
  }

  private boolean readsLive() {
    return options.containsKey("--live");
  }

  private boolean readsMysql() {
    return options.containsKey("--mysql");
  }

  private Properties properties() {
    Properties properties = new Properties();
    properties.put("name", "arrowcdc-bench");
    properties.put("topic.prefix", "bench");
    properties.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
    properties.put("database.hostname", server.get("host"));
    properties.put("database.port", server.get("port"));
    properties.put("database.user", server.get("user"));
    properties.put("tombstones.on.delete", "false");
    // Its queue hands on a batch when it is full or the interval has passed. The default of half a second would be
    // all that a latency shows; for a backlog large batches take less time than small ones. At a steady rate it runs
    // as it comes.
    if (!readsLive()) {
      properties.put("poll.interval.ms", keepsLatencies() ? "1" : "10");
      properties.put("max.batch.size", "8192");
      properties.put("max.queue.size", "32768");
    }
    if (readsMysql()) putMysql(properties);
    else putPostgres(properties);
    return properties;
  }

  private void putMysql(Properties properties) {
    properties.put("connector.class", "io.debezium.connector.mysql.MySqlConnector");
    properties.put("database.password", "");
    properties.put("database.ssl.mode", "disabled");
    properties.put("database.server.id", "4711");
    properties.put("schema.history.internal", "io.debezium.relational.history.MemorySchemaHistory");
    // It goes on from the beginning of the log, and reads of the server what the tables are.
    BeginningOfTheLog.gtids = options.get("--gtids");
    properties.put("offset.storage", BeginningOfTheLog.class.getName());
    properties.put("snapshot.mode", "recovery");
    properties.put("table.include.list", "bench." + options.get("--table"));
    properties.put("include.schema.changes", "false");
  }

  /** Says that of the log only what --gtids names was read. */
  public static final class BeginningOfTheLog extends MemoryOffsetBackingStore {
    static String gtids = "";

    @Override
    public void start() {
      super.start();
      data.put(
          bytes("[\"arrowcdc-bench\",{\"server\":\"bench\"}]"),
          bytes("{\"file\":\"binlog.000001\",\"pos\":4,\"gtids\":\"" + gtids + "\"}"));
    }

    @Override
    public Set<Map<String, Object>> connectorPartitions(String connector) {
      return Set.of();
    }

    private static ByteBuffer bytes(String text) {
      return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  private void putPostgres(Properties properties) {
    properties.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
    properties.put("database.password", "none");
    properties.put("database.dbname", server.get("dbname"));
    properties.put("slot.name", options.get("--slot"));
    properties.put("plugin.name", "pgoutput");
    properties.put("publication.name", PUBLICATION);
    properties.put("publication.autocreate.mode", "disabled");
    properties.put("snapshot.mode", copies() ? "initial_only" : "no_data");
    if (copies()) properties.put("table.include.list", "public." + options.get("--table"));
  }

  /** One run of the engine over the slot's rows. */
  private final class Pass implements DebeziumEngine.ChangeConsumer<ChangeEvent<SourceRecord, SourceRecord>> {
    final CompletableFuture<Void> allSeen = new CompletableFuture<>();
    final StringBuilder latencies = new StringBuilder();
    long rows;
    long batches;
    long begin;
    long end;
    double cpuAtBegin;
    double cpuAtEnd;
    long endedMicroseconds;

    @Override
    public void handleBatch(
        List<ChangeEvent<SourceRecord, SourceRecord>> records,
        DebeziumEngine.RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer) {
      if (batches++ == 0) {
        cpuAtBegin = cpuSeconds();
        begin = System.nanoTime();
      }
      for (ChangeEvent<SourceRecord, SourceRecord> event : records) {
        if (!(event.value().value() instanceof Struct change) || change.schema().field("op") == null) continue;
        ++rows;
        if (keepsLatencies()) keepLatency(change.getStruct("source").getInt64("ts_us"));
      }
      // Nothing is acknowledged before the end, as with the other clients: each pass finds the same rows.
      if (rows >= rowsExpected && !allSeen.isDone()) {
        end = System.nanoTime();
        endedMicroseconds = nowMicroseconds();
        cpuAtEnd = cpuSeconds();
        allSeen.complete(null);
      }
    }

    String toJson() {
      return "{\"wall_s\": " + (end - begin) * 1e-9 + ", \"ended_us\": " + endedMicroseconds + ", \"client_cpu_s\": " + (cpuAtEnd - cpuAtBegin)
          + ", \"rows\": " + rows + ", \"transactions\": 0, \"frames\": 0, \"wire_bytes\": -1"
          + ", \"client_peak_bytes\": " + peakBytes() + ", \"latencies_us\": [" + latencies + "]}";
    }

    private void keepLatency(long commitMicroseconds) {
      latencies.append(latencies.length() == 0 ? "" : ",").append(nowMicroseconds() - commitMicroseconds);
    }
  }

  /** Runs the engine until all rows were seen. The caller closes it: until then the connection stays. */
  private DebeziumEngine<?> run(Pass pass) throws Exception {
    DebeziumEngine<ChangeEvent<SourceRecord, SourceRecord>> engine =
        DebeziumEngine.create(Connect.class)
            .using(properties())
            .using(
                (success, message, error) -> {
                  Throwable cause = error; // the outer ones only say that the connector will stop
                  while (cause != null && cause.getCause() != null) cause = cause.getCause();
                  String reason = cause == null || cause.getMessage() == null ? message : cause.getMessage();
                  pass.allSeen.completeExceptionally(new IllegalStateException(reason));
                })
            .notifying(pass)
            .build();
    Thread thread = new Thread(engine, "engine");
    thread.setDaemon(true);
    thread.start();
    pass.allSeen.get();
    return engine;
  }

  /** The first pass compiles the code; its server process must be gone before the second is looked for. */
  private void warmUp() throws Exception {
    run(new Pass()).close();
    if (copies() || readsMysql()) return;
    String url = "jdbc:postgresql://" + server.get("host") + ":" + server.get("port") + "/" + server.get("dbname");
    try (Connection connection = DriverManager.getConnection(url, server.get("user"), "none")) {
      boolean active = true;
      while (active) {
        try (ResultSet result =
            connection
                .createStatement()
                .executeQuery(
                    "SELECT active FROM pg_replication_slots WHERE slot_name = '" + options.get("--slot") + "'")) {
          result.next();
          active = result.getBoolean(1);
        }
        Thread.sleep(10);
      }
    }
  }

  private void drain() throws Exception {
    if (!keepsLatencies() && !readsLive()) warmUp();
    // A copy has no slot to be found by, a dump neither; what they cost the server is not measured.
    say("started " + (copies() || readsMysql() ? ProcessHandle.current().pid() : 0));
    Pass pass = new Pass();
    run(pass);
    say(pass.toJson());
    while (System.in.read() >= 0) {
      // The other side looks at this process and at the server's until it closes the pipe.
    }
  }

  public static void main(String[] arguments) {
    int code = 0;
    try {
      new DebeziumDrain(arguments).drain();
    } catch (Throwable error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      say("{\"error\": \"" + String.valueOf(cause.getMessage()).replaceAll("[^ -!#-\\[\\]-~]", " ") + "\"}");
      code = 1;
    }
    Runtime.getRuntime().halt(code); // the slot is dropped next: nothing is to be put in order
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static long nowMicroseconds() {
    Instant now = Instant.now();
    return now.getEpochSecond() * 1_000_000 + now.getNano() / 1000;
  }

  private static double cpuSeconds() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() * 1e-9;
  }

  private static long peakBytes() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    } catch (IOException ignored) {
      // Not Linux: it is not known.
    }
    return -1;
  }
}
