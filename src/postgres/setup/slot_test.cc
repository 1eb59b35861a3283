// Which slots are refused, and with what.
#include "src/postgres/setup/slot.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

SlotInfo Good() {
  SlotInfo slot;
  slot.name = "s";
  slot.plugin = "wal2arrow";
  slot.database = "shop";
  slot.confirmed_flush = 0x100;
  return slot;
}

ErrorKind Refused(const SlotInfo& slot) {
  const arrow::Status status = CheckSlotFits(slot, "shop", OutputPlugin::kWal2arrow);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(GetErrorDetail(status)->object(), "slot \"s\"");
  EXPECT_FALSE(GetErrorDetail(status)->remedy().empty());
  return GetErrorDetail(status)->kind();
}

TEST(Slot, Fits) {
  EXPECT_TRUE(CheckSlotFits(Good(), "shop", OutputPlugin::kWal2arrow).ok());
  EXPECT_TRUE(CheckSlotFree(Good()).ok());
}

TEST(Slot, Mismatches) {
  SlotInfo slot = Good();
  slot.plugin = "pgoutput";
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotMismatch);
  slot = Good();
  slot.plugin = slot.database = "";
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotMismatch);
  slot = Good();
  slot.database = "other";
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotMismatch);
  slot = Good();
  slot.synced = true;
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotMismatch);
  slot = Good();
  slot.invalidation = "idle_timeout";
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotInvalidated);
}

TEST(Slot, PluginThatWasAskedFor) {
  SlotInfo slot = Good();
  EXPECT_TRUE(CheckSlotFits(slot, "shop", OutputPlugin::kAuto).ok());
  EXPECT_FALSE(CheckSlotFits(slot, "shop", OutputPlugin::kPgoutput).ok());
  slot.two_phase = true;
  for (const char* const made_with : {"wal2arrow", "pgoutput"}) {
    slot.plugin = made_with;
    const arrow::Status status = CheckSlotFits(slot, "shop", OutputPlugin::kAuto);
    EXPECT_NE(status.message().find("two_phase"), std::string::npos) << status.message();
    EXPECT_NE(GetErrorDetail(status)->remedy().find("--slot"), std::string::npos);
  }
  slot.two_phase = false;
  EXPECT_TRUE(CheckSlotFits(slot, "shop", OutputPlugin::kAuto).ok());
  EXPECT_TRUE(CheckSlotFits(slot, "shop", OutputPlugin::kPgoutput).ok());
  const arrow::Status other = CheckSlotFits(slot, "shop", OutputPlugin::kWal2arrow);
  EXPECT_NE(GetErrorDetail(other)->remedy().find("--plugin pgoutput"), std::string::npos);
  slot.plugin = "test_decoding";
  EXPECT_FALSE(CheckSlotFits(slot, "shop", OutputPlugin::kAuto).ok());
}

// The server names the plugin a moment after it has made the slot.
TEST(Slot, BeingMadeIsBusyBeforeItHasItsPlugin) {
  SlotInfo slot = Good();
  slot.being_made = slot.active = true;
  for (const char* plugin : {"", "wal2arrow"}) {
    slot.plugin = plugin;
    EXPECT_EQ(Refused(slot), ErrorKind::kBusy);
  }
  slot.plugin = "pgoutput";
  EXPECT_EQ(Refused(slot), ErrorKind::kSlotMismatch);
}

TEST(Slot, ActiveNamesPidAndApplication) {
  SlotInfo slot = Good();
  slot.active = true;
  slot.active_pid = 4711;
  slot.active_application = "pg_recvlogical";
  const arrow::Status status = CheckSlotFree(slot);
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kSlotActive);
  EXPECT_TRUE(GetErrorDetail(status)->retryable());
  EXPECT_NE(status.message().find("4711"), std::string::npos);
  EXPECT_NE(status.message().find("pg_recvlogical"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
