// Settings for text output.
#include "plugin/settings.h"

namespace arrowcdc::plugin {

namespace {

struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kSettings[] = {
    {"DateStyle", "ISO"}, {"IntervalStyle", "postgres"}, {"extra_float_digits", "3"}, {"bytea_output", "hex"},
    {"TimeZone", "UTC"},  {"xmloption", "content"},      {"search_path", ""},
};

}  // namespace

void ApplySettings(Session* session) {
  const bool in_transaction = IsTransactionOrTransactionBlock();
  session->guc_nest_level = in_transaction ? NewGUCNestLevel() : 0;
  for (const Setting& setting : kSettings) {
    (void)set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION,
                            in_transaction ? GUC_ACTION_SAVE : GUC_ACTION_SET, true, 0, false);
  }
}

void RestoreSettings(Session* session) {
  if (session->guc_nest_level == 0) return;
  AtEOXact_GUC(true, session->guc_nest_level);
  session->guc_nest_level = 0;
}

}  // namespace arrowcdc::plugin
