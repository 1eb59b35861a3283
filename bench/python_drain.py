"""The null consumer through the Python package: reads a slot, counts rows, drops the batches.

Started by arrowcdc_bench, with the same arguments and the same lines on stdout as its own clients
(bench/drain_process.h).
"""

import argparse
import json
import sys
import time

from arrowcdc import ArrowCDCReaderConfig


def peak_bytes():
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return -1


def drain(task):
    config = ArrowCDCReaderConfig(
        source=task.conninfo,
        slot=task.slot,
        publications=("arrowcdc_bench",),
        tables=f"public.{task.table}",
        commit="by-hand",
        setup=False,
    )
    cpu = time.process_time()
    readers = config.open()
    print("started 0", flush=True)
    reader = readers[f"public.{task.table}"]
    rows = frames = 0
    for batch in reader:
        rows += batch.num_rows
        frames += 1
        if rows >= task.rows:
            break
    result = {
        "wall_s": -1,  # from the server's start of the stream to ended_us
        "ended_us": time.time_ns() // 1000,
        "client_cpu_s": time.process_time() - cpu,
        "rows": rows,
        "transactions": task.transactions,
        "frames": frames,
        "wire_bytes": readers.stats()["received_bytes"],
        "client_peak_bytes": peak_bytes(),
        "latencies_us": [],
    }
    print(json.dumps(result), flush=True)
    sys.stdin.read()  # until then the other side looks at this process and at the server's
    readers.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("contender", "table", "conninfo", "slot"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("rows", "transactions", "end-lsn"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--sink-directory")
    task = parser.parse_args()
    try:
        drain(task)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.exit(1)


main()
