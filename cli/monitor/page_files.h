// The files of the page for people, as they stand beside this one; the build puts them in.
#pragma once

namespace arrowcdc::cli {

extern const char kPageHtml[];
extern const char kPageScript[];
extern const char kPageStyle[];

}  // namespace arrowcdc::cli
