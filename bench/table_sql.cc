// Prints what makes and fills a table of the benchmark, for tools/profile_plugin.sh: arrowcdc_bench_table_sql
// narrow 1 2000
#include <iostream>

#include "bench/table.h"

int main(int argc, char** argv) {
  const arrowcdc::bench::Table* const table = argc == 4 ? arrowcdc::bench::FindTable(argv[1]) : nullptr;
  if (table == nullptr) {
    std::cerr << "usage: arrowcdc_bench_table_sql TABLE FROM TO (FROM 0: the CREATE TABLE)\n";
    return 2;
  }
  const bool create = argv[2] == std::string("0");
  std::cout << (create ? table->CreateSql() : table->InsertSql(argv[2], argv[3])) << ";\n";
}
