// `make reference`: docs/reference.md, to standard output.
#include <cstdio>

#include "src/options/reference.h"

int main() { return std::fputs(arrowcdc::MakeReference().c_str(), stdout) < 0 ? 1 : 0; }
