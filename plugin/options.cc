// Parsing the options of START_REPLICATION.
#include "plugin/options.h"

#include "format/frame.h"
#include "plugin/text.h"

extern "C" {
#include "lib/stringinfo.h"
}

namespace arrowcdc::plugin {

namespace {

// Longer values are refused before anything looks into them (a publication name has at most 63 bytes).
constexpr size_t kValueBytesMax = 1 << 20;
// In front of an option's name: it need not be there, nor take the value.
constexpr char kTryPrefix[] = "try_";

// Decimal digits only; what does not fit in 64 bits becomes the largest number.
bool ParseNumber(const char** text, uint64_t* out) {
  const char* p = *text;
  if (*p < '0' || *p > '9') return false;
  uint64_t value = 0;
  for (; *p >= '0' && *p <= '9'; ++p) {
    const uint64_t digit = static_cast<uint64_t>(*p - '0');
    value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
  }
  *text = p;
  *out = value;
  return true;
}

bool ParseWholeNumber(const char* text, uint64_t* out) { return ParseNumber(&text, out) && *text == '\0'; }

bool SkipPrefix(const char** text, const char* prefix) {
  const size_t bytes = strlen(prefix);
  if (strncmp(*text, prefix, bytes) != 0) return false;
  *text += bytes;
  return true;
}

bool ParseUnrepresentable(const char* text, bool* as_text) {
  *as_text = strcmp(text, "text") == 0;
  return *as_text || strcmp(text, "null") == 0;
}

struct CodecName {
  const char* name;
  format::BodyCodec codec;
};
constexpr CodecName kCodecNames[] = {{"none", format::BodyCodec::kNone},
                                     {"lz4", format::BodyCodec::kLz4Frame},
                                     {"zstd", format::BodyCodec::kZstd}};

bool ParseCompression(const char* text, format::BodyCodec* codec) {
  for (const CodecName& known : kCodecNames) {
    if (strcmp(text, known.name) != 0) continue;
    *codec = known.codec;
    return true;
  }
  return false;
}

const char* GetName(format::BodyCodec codec) {
  for (const CodecName& known : kCodecNames) {
    if (known.codec == codec) return known.name;
  }
  pg_unreachable();
}

bool ParseMaxDelay(const char* text, uint32_t* milliseconds) {
  uint64_t number = 0;
  if (!ParseWholeNumber(text, &number)) return false;
  *milliseconds = static_cast<uint32_t>(Min(number, kMaxDelayMsMax));
  return true;
}

bool ParseSwitch(const char* text, bool* on) {
  *on = strcmp(text, "on") == 0;
  return *on || strcmp(text, "off") == 0;
}

bool ParseOrigin(const char* text, bool* any) {
  *any = strcmp(text, "any") == 0;
  return *any || strcmp(text, "none") == 0;
}

// What was given so far, from the defaults on.
struct Given {
  Options options;
  uint64_t proto_min;
  uint64_t proto_max;
};

struct OptionRow {
  const char* name;
  bool (*parse)(const char* value, Given* given);  // false: not a value of this option
  const char* wanted;
};

constexpr OptionRow kOptions[] = {
    {"proto_min", [](const char* value, Given* given) { return ParseWholeNumber(value, &given->proto_min); },
     "a whole number"},
    {"proto_max", [](const char* value, Given* given) { return ParseWholeNumber(value, &given->proto_max); },
     "a whole number"},
    {"publication_names",
     [](const char* value, Given* given) {
       return SplitIdentifierString(pstrdup(value), ',', &given->options.publication_names);
     },
     "names separated by commas, in double quotes where SQL needs them"},
    {"batch_bytes",
     [](const char* value, Given* given) { return ParseWholeNumber(value, &given->options.batch_bytes); },
     "a whole number"},
    {"numeric",
     [](const char* value, Given* given) {
       static_assert(pgtype::kDecimal256Digits == 76);
       return pgtype::ParseNumericChoice(value, &given->options.numeric);
     },
     "\"text\", \"double\" or \"decimal(P,S)\" with 1 <= P <= 76 and 0 <= S <= P"},
    {"unrepresentable",
     [](const char* value, Given* given) {
       return ParseUnrepresentable(value, &given->options.unrepresentable_as_text);
     },
     "\"null\" or \"text\""},
    {"batching", [](const char* value, Given* given) { return ParseSwitch(value, &given->options.batching); },
     "\"on\" or \"off\""},
    {"drain", [](const char* value, Given* given) { return ParseSwitch(value, &given->options.drain); },
     "\"on\" or \"off\""},
    {"compression",
     [](const char* value, Given* given) { return ParseCompression(value, &given->options.compression); },
     "\"none\", \"lz4\" or \"zstd\""},
    {"messages", [](const char* value, Given* given) { return ParseSwitch(value, &given->options.messages); },
     "\"on\" or \"off\""},
    {"origin",
     [](const char* value, Given* given) { return ParseOrigin(value, &given->options.foreign_origins); },
     "\"any\" or \"none\""},
    {"streaming",
     [](const char* value, Given* given) { return ParseSwitch(value, &given->options.streaming); },
     "\"on\" or \"off\""},
    {"max_delay",
     [](const char* value, Given* given) { return ParseMaxDelay(value, &given->options.max_delay_ms); },
     "a whole number of milliseconds"},
};
constexpr int kOptionCount = lengthof(kOptions);

// kOptionCount: there is none of that name.
int FindOption(const char* name) {
  int i = 0;
  while (i < kOptionCount && strcmp(name, kOptions[i].name) != 0) ++i;
  return i;
}

[[noreturn]] void RaiseUnknown(const char* name) {
  StringInfoData known;
  initStringInfo(&known);
  for (int i = 0; i < kOptionCount; ++i) {
    appendStringInfoString(&known, i == 0 ? "" : i + 1 < kOptionCount ? ", " : " and ");
    appendStringInfoString(&known, kOptions[i].name);
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("wal2arrow has no option \"%.63s\"", name),
                  errhint("It has %s.", known.data)));
  pg_unreachable();
}

[[noreturn]] void RaiseBadValue(const char* name, const char* wanted) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
           errmsg("wal2arrow cannot use the value of option \"%s\"", name), errhint("It takes %s.", wanted)));
  pg_unreachable();
}

// What the option cannot use of its value; null: it is taken.
const char* ParseValue(const OptionRow& option, const DefElem& element, Given* given) {
  if (element.arg == nullptr || !IsA(element.arg, String)) return "a value";
  const char* const value = strVal(element.arg);
  if (strnlen(value, kValueBytesMax + 1) > kValueBytesMax) return "at most 1 MiB of text";
  Given with = *given;
  if (!option.parse(value, &with)) return option.wanted;
  *given = with;
  return nullptr;
}

void CheckProtocol(uint64_t proto_min, uint64_t proto_max) {
  if (proto_min <= format::kProtocolVersion && proto_max >= format::kProtocolVersion) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("the client speaks wal2arrow protocol " UINT64_FORMAT " to " UINT64_FORMAT
                         ", this server %u to %u",
                         proto_min, proto_max, format::kProtocolVersion, format::kProtocolVersion),
                  errhint("Install versions of client and plugin that have a protocol in common.")));
}

}  // namespace

Options ParseOptions(List* elements) {
  Given given{};
  given.options.protocol = format::kProtocolVersion;
  given.options.batch_bytes = kBatchBytesDefault;
  given.options.numeric.as = pgtype::NumericAs::kText;
  given.options.compression = format::BodyCodec::kNone;
  given.options.drain = true;
  given.options.foreign_origins = true;
  given.proto_min = given.proto_max = format::kProtocolVersion;
  bool seen[kOptionCount] = {};

  ListCell* cell;
  foreach (cell, elements) {
    const DefElem* const element = static_cast<const DefElem*>(lfirst(cell));
    const char* name = element->defname;
    const bool tried = SkipPrefix(&name, kTryPrefix);
    const int id = FindOption(name);
    if (id == kOptionCount) {
      if (tried) continue;
      RaiseUnknown(name);
    }
    if (seen[id]) {
      ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("wal2arrow option \"%s\" is given twice", name)));
    }
    seen[id] = true;
    const char* const wanted = ParseValue(kOptions[id], *element, &given);
    if (wanted != nullptr && !tried) RaiseBadValue(name, wanted);
  }
  Options* const options = &given.options;
  if (seen[FindOption("proto_min")] && !seen[FindOption("proto_max")] && given.proto_min > given.proto_max) {
    given.proto_max = given.proto_min;
  }
  CheckProtocol(given.proto_min, given.proto_max);
  if (options->publication_names == NIL) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("wal2arrow needs the option publication_names"),
             errhint("Name one or more publications of this database: publication_names 'cdc'.")));
  }
  options->batch_bytes = Min(Max(options->batch_bytes, kBatchBytesMin), kBatchBytesMax);
  return *options;
}

char* DescribeOptions(const Options& options, TextConversion* text) {
  StringInfoData lines;
  initStringInfo(&lines);
  appendStringInfo(&lines, "proto=%u\npublication_names=", options.protocol);
  ListCell* cell;
  foreach (cell, options.publication_names) {
    if (cell != list_head(options.publication_names)) appendStringInfoChar(&lines, ',');
    appendStringInfoString(&lines, ConvertName(text, static_cast<const char*>(lfirst(cell))));
  }
  appendStringInfo(&lines, "\nbatch_bytes=" UINT64_FORMAT "\n", options.batch_bytes);
  switch (options.numeric.as) {
    case pgtype::NumericAs::kText:
      appendStringInfoString(&lines, "numeric=text\n");
      break;
    case pgtype::NumericAs::kDouble:
      appendStringInfoString(&lines, "numeric=double\n");
      break;
    case pgtype::NumericAs::kDecimal:
      appendStringInfo(&lines, "numeric=decimal(%d,%d)\n", options.numeric.precision, options.numeric.scale);
      break;
  }
  appendStringInfo(&lines, "unrepresentable=%s\n", options.unrepresentable_as_text ? "text" : "null");
  appendStringInfo(&lines, "compression=%s\n", GetName(options.compression));
  appendStringInfo(&lines, "batching=%s\ndrain=%s\nmessages=%s\norigin=%s\nstreaming=%s\n",
                   options.batching ? "on" : "off", options.drain ? "on" : "off",
                   options.messages ? "on" : "off", options.foreign_origins ? "any" : "none",
                   options.streaming ? "on" : "off");
  appendStringInfo(&lines, "max_delay=%u\n", options.max_delay_ms);
  return lines.data;
}

}  // namespace arrowcdc::plugin
