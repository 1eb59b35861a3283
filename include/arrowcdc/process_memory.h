// Memory of a process that streams.
#pragma once

namespace arrowcdc {

// For a program that streams all its life, before its first thread and before it uses Arrow's memory: what it
// frees stays with it for what comes next, until a pipeline has had no rows for five seconds (RunPipeline);
// while rows go on coming what is more than 128 MiB is given back every thirty. libpq takes memory for each
// message, which is freed when its rows are stored, and Arrow for each column: both, as they come, give so
// much back at once that the system has to clear new pages for what follows, which was a third of the time of
// a stream of wide rows into Parquet. It is a setting of the whole process: mallopt, over
// MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ of the environment, and Arrow's pool by malloc, unless
// ARROW_DEFAULT_MEMORY_POOL names another.
void KeepFreedMemory();

}  // namespace arrowcdc
