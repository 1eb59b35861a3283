// Memory of a process that streams.
#pragma once

namespace arrowcdc {

// For a program that streams all its life, before its first thread: memory that it frees stays with it for
// what comes next, up to 128 MiB at a time, until a pipeline has had no rows for five seconds (RunPipeline).
// libpq takes memory for each message, and it is freed when its rows are stored: glibc, as it comes, gives so
// much back at once that the system has to clear new pages for the next messages, which was a third of the
// time of a stream of wide rows into Parquet. It is a setting of the whole process (mallopt), and overrides
// MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ of the environment.
void KeepFreedMemory();

}  // namespace arrowcdc
