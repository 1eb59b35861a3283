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

[[noreturn]] void RaiseBadValue(const char* name, const char* wanted) {
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
           errmsg("wal2arrow cannot use the value of option \"%s\"", name), errhint("It takes %s.", wanted)));
  pg_unreachable();
}

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

uint64_t ParseWholeNumber(const char* name, const char* text) {
  uint64_t value = 0;
  if (!ParseNumber(&text, &value) || *text != '\0') RaiseBadValue(name, "a whole number");
  return value;
}

bool SkipPrefix(const char** text, const char* prefix) {
  const size_t bytes = strlen(prefix);
  if (strncmp(*text, prefix, bytes) != 0) return false;
  *text += bytes;
  return true;
}

void ParseNumeric(const char* text, Options* options) {
  static_assert(pgtype::kDecimal256Digits == 76);
  const char* const wanted = "\"text\", \"double\" or \"decimal(P,S)\" with 1 <= P <= 76 and 0 <= S <= P";
  uint64_t precision = 0;
  uint64_t scale = 0;
  if (strcmp(text, "text") == 0) {
    options->numeric.as = pgtype::NumericAs::kText;
  } else if (strcmp(text, "double") == 0) {
    options->numeric.as = pgtype::NumericAs::kDouble;
  } else if (SkipPrefix(&text, "decimal(") && ParseNumber(&text, &precision) && SkipPrefix(&text, ",") &&
             ParseNumber(&text, &scale) && strcmp(text, ")") == 0 && precision >= 1 &&
             precision <= pgtype::kDecimal256Digits && scale <= precision) {
    options->numeric.as = pgtype::NumericAs::kDecimal;
    options->numeric.precision = static_cast<int32_t>(precision);
    options->numeric.scale = static_cast<int32_t>(scale);
  } else {
    RaiseBadValue("numeric", wanted);
  }
}

struct CodecName {
  const char* name;
  format::BodyCodec codec;
};
constexpr CodecName kCodecNames[] = {{"none", format::BodyCodec::kNone},
                                     {"lz4", format::BodyCodec::kLz4Frame},
                                     {"zstd", format::BodyCodec::kZstd}};

format::BodyCodec ParseCompression(const char* text) {
  for (const CodecName& known : kCodecNames) {
    if (strcmp(text, known.name) == 0) return known.codec;
  }
  RaiseBadValue("compression", "\"none\", \"lz4\" or \"zstd\"");
}

const char* GetName(format::BodyCodec codec) {
  for (const CodecName& known : kCodecNames) {
    if (known.codec == codec) return known.name;
  }
  pg_unreachable();
}

enum OptionId {
  kProtoMin,
  kProtoMax,
  kPublicationNames,
  kBatchBytes,
  kNumeric,
  kBatching,
  kDrain,
  kCompression,
  kOptionCount
};
constexpr const char* kOptionNames[kOptionCount] = {"proto_min",   "proto_max",  "publication_names",
                                                    "batch_bytes", "numeric",    "batching",
                                                    "drain",       "compression"};

bool ParseSwitch(const char* name, const char* text) {
  if (strcmp(text, "on") == 0) return true;
  if (strcmp(text, "off") != 0) RaiseBadValue(name, "\"on\" or \"off\"");
  return false;
}

OptionId FindOption(const char* name) {
  for (int i = 0; i < kOptionCount; ++i) {
    if (strcmp(name, kOptionNames[i]) == 0) return static_cast<OptionId>(i);
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("wal2arrow has no option \"%.63s\"", name),
                  errhint("It has proto_min, proto_max, publication_names, batch_bytes, numeric, batching, "
                          "drain and compression.")));
  pg_unreachable();
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

Options ParseOptions(List* given) {
  Options options{};
  options.protocol = format::kProtocolVersion;
  options.batch_bytes = kBatchBytesDefault;
  options.numeric.as = pgtype::NumericAs::kText;
  options.compression = format::BodyCodec::kNone;
  options.drain = true;
  uint64_t proto_min = format::kProtocolVersion;
  uint64_t proto_max = format::kProtocolVersion;
  bool seen[kOptionCount] = {};

  ListCell* cell;
  foreach (cell, given) {
    const DefElem* element = static_cast<const DefElem*>(lfirst(cell));
    const OptionId id = FindOption(element->defname);
    const char* const name = kOptionNames[id];
    if (seen[id]) {
      ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("wal2arrow option \"%s\" is given twice", name)));
    }
    seen[id] = true;
    if (element->arg == nullptr || !IsA(element->arg, String)) RaiseBadValue(name, "a value");
    const char* const value = strVal(element->arg);
    if (strnlen(value, kValueBytesMax + 1) > kValueBytesMax) RaiseBadValue(name, "at most 1 MiB of text");

    switch (id) {
      case kProtoMin:
        proto_min = ParseWholeNumber(name, value);
        break;
      case kProtoMax:
        proto_max = ParseWholeNumber(name, value);
        break;
      case kPublicationNames:
        if (!SplitIdentifierString(pstrdup(value), ',', &options.publication_names)) {
          RaiseBadValue(name, "names separated by commas, in double quotes where SQL needs them");
        }
        break;
      case kBatchBytes:
        options.batch_bytes = ParseWholeNumber(name, value);
        break;
      case kNumeric:
        ParseNumeric(value, &options);
        break;
      case kBatching:
        options.batching = ParseSwitch(name, value);
        break;
      case kDrain:
        options.drain = ParseSwitch(name, value);
        break;
      case kCompression:
        options.compression = ParseCompression(value);
        break;
      case kOptionCount:
        break;
    }
  }
  if (seen[kProtoMin] && !seen[kProtoMax] && proto_min > proto_max) proto_max = proto_min;
  CheckProtocol(proto_min, proto_max);
  if (options.publication_names == NIL) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("wal2arrow needs the option publication_names"),
             errhint("Name one or more publications of this database: publication_names 'cdc'.")));
  }
  if (options.batch_bytes < kBatchBytesMin) options.batch_bytes = kBatchBytesMin;
  if (options.batch_bytes > kBatchBytesMax) options.batch_bytes = kBatchBytesMax;
  return options;
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
  appendStringInfo(&lines, "compression=%s\n", GetName(options.compression));
  appendStringInfo(&lines, "batching=%s\ndrain=%s\n", options.batching ? "on" : "off",
                   options.drain ? "on" : "off");
  return lines.data;
}

}  // namespace arrowcdc::plugin
