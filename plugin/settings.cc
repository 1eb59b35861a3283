// Settings for text output.
#include "plugin/settings.h"

#include "plugin/options.h"
#include "plugin/version.h"

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

bool batching_allowed = true;
bool drain_allowed = true;
int max_delay_ms = static_cast<int>(kMaxDelayMsMax);
char* version = nullptr;

}  // namespace

void DefineSettings() {
  DefineCustomBoolVariable("wal2arrow.batching", "Lets clients have batches across transactions.",
                           "Off: a batch a transaction, whatever the client asks for.", &batching_allowed,
                           true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("wal2arrow.drain", "Lets a walsender decode many WAL records a turn.",
                           "Off: one record a turn, as with other plugins.", &drain_allowed, true, PGC_SUSET,
                           0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("wal2arrow.max_delay",
                          "How long a walsender may let commits wait for more of them.",
                          "Clients ask for less, or for none. 0: none, whatever they ask for.", &max_delay_ms,
                          max_delay_ms, 0, max_delay_ms, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("wal2arrow.version", "The plugin's version.", nullptr, &version, kPluginVersion,
                             PGC_INTERNAL, GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, nullptr, nullptr,
                             nullptr);
  MarkGUCPrefixReserved("wal2arrow");
}

bool IsBatchingAllowed() { return batching_allowed; }
bool IsDrainAllowed() { return drain_allowed; }
uint32_t MaxDelayMsAllowed() { return static_cast<uint32_t>(max_delay_ms); }

AppliedSettings ApplySettings() {
  const bool in_transaction = IsTransactionOrTransactionBlock();
  const AppliedSettings applied{in_transaction ? NewGUCNestLevel() : 0};
  for (const Setting& setting : kSettings) {
    (void)set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION,
                            in_transaction ? GUC_ACTION_SAVE : GUC_ACTION_SET, true, 0, false);
  }
  return applied;
}

void RestoreSettings(AppliedSettings* applied) {
  if (applied->nest_level == 0) return;
  AtEOXact_GUC(true, applied->nest_level);
  applied->nest_level = 0;
}

}  // namespace arrowcdc::plugin
