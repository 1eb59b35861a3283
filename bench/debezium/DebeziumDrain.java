// Debezium's embedded engine as one client of the benchmark: reads a slot with pgoutput, or with --snapshot the rows
// that a table has, counts the records, drops them. Started by arrowcdc_bench, with the same arguments and the same lines on stdout as its own clients
// (bench/drain_process.h).

import com.sun.management.OperatingSystemMXBean;
import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

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

  private Properties properties() {
    Properties properties = new Properties();
    properties.put("name", "arrowcdc-bench");
    properties.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
    properties.put("topic.prefix", "bench");
    properties.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
    properties.put("database.hostname", server.get("host"));
    properties.put("database.port", server.get("port"));
    properties.put("database.user", server.get("user"));
    properties.put("database.password", "none");
    properties.put("database.dbname", server.get("dbname"));
    properties.put("slot.name", options.get("--slot"));
    properties.put("plugin.name", "pgoutput");
    properties.put("publication.name", PUBLICATION);
    properties.put("publication.autocreate.mode", "disabled");
    properties.put("snapshot.mode", copies() ? "initial_only" : "no_data");
    if (copies()) properties.put("table.include.list", "public." + options.get("--table"));
    properties.put("tombstones.on.delete", "false");
    // Its queue hands on a batch when it is full or the interval has passed. The default of half a second would be
    // all that a latency shows; for a backlog large batches take less time than small ones.
    properties.put("poll.interval.ms", keepsLatencies() ? "1" : "10");
    properties.put("max.batch.size", "8192");
    properties.put("max.queue.size", "32768");
    return properties;
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
                  String reason = error == null || error.getMessage() == null ? message : error.getMessage();
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
    if (copies()) return;
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
    if (!keepsLatencies()) warmUp();
    // A copy has no slot to be found by; what its sessions cost the server is not measured.
    say("started " + (copies() ? ProcessHandle.current().pid() : 0));
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
