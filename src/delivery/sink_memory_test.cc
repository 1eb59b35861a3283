// What is said when the stream is another than the one the sink was written from.
#include "src/delivery/sink_memory.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

StreamIdentity Stream() {
  return {{"postgresql", "7"}, "shop", "cdc", {"cdc", "cdc_insert_only"}, {"public.*", "!public.log"}};
}

SinkState Stored() {
  SinkState state;
  state.stream = Stream();
  state.table_ids = {{{"public", "a"}, 100}, {{"public", "b"}, 200}};
  return state;
}

std::shared_ptr<const TableSchema> Table(const std::string& name, uint32_t oid) {
  auto table = std::make_shared<TableSchema>();
  table->name = {"public", name};
  table->table_id = oid;
  return table;
}

TEST(SinkMemory, NothingIsSaidOfTheSameStreamOrANewSink) {
  EXPECT_TRUE(SinkMemory().Restore(Stored(), Stream()).empty());
  EXPECT_TRUE(SinkMemory().Restore(SinkState{}, Stream()).empty());
  StreamIdentity in_another_order = Stream();
  std::swap(in_another_order.publications[0], in_another_order.publications[1]);
  std::swap(in_another_order.patterns[0], in_another_order.patterns[1]);
  EXPECT_TRUE(SinkMemory().Restore(Stored(), in_another_order).empty());
}

TEST(SinkMemory, OtherPublicationsPatternsAndDatabaseNames) {
  StreamIdentity now = Stream();
  now.database = "shop_old";
  now.publications = {"cdc"};
  now.patterns = {};
  const auto warnings = SinkMemory().Restore(Stored(), now);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_NE(warnings[0].text.find("database \"shop\", and the stream is now of database \"shop_old\""),
            std::string::npos)
      << warnings[0].text;
  EXPECT_NE(
      warnings[1].text.find("publications cdc, cdc_insert_only, and the stream is now of publications cdc"),
      std::string::npos)
      << warnings[1].text;
  EXPECT_NE(warnings[2].text.find("tables public.*, !public.log, and the stream is now of tables (all)"),
            std::string::npos)
      << warnings[2].text;
  for (const SourceNotice& warning : warnings) EXPECT_EQ(warning.object, "slot \"cdc\"");
}

TEST(SinkMemory, ANameThatComesBackAsAnotherTableIsSaidOnce) {
  SinkMemory memory;
  memory.Restore(Stored(), Stream());
  EXPECT_FALSE(memory.Check(Table("a", 100)));
  EXPECT_FALSE(memory.Check(Table("new", 300)));
  const auto warning = memory.Check(Table("b", 201));
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->object, "table public.b");
  EXPECT_NE(warning->text.find("relation 200"), std::string::npos);
  EXPECT_NE(warning->text.find("relation 201"), std::string::npos);
  EXPECT_FALSE(memory.Check(Table("a", 100)));
  EXPECT_FALSE(memory.Check(Table("b", 201)));
  // In one run as well: dropped and made again. Two that take turns are no flood.
  EXPECT_TRUE(memory.Check(Table("new", 301)));
  EXPECT_TRUE(memory.Check(Table("new", 300)));
  for (const uint32_t oid : {301, 300, 301}) EXPECT_FALSE(memory.Check(Table("new", oid)));
}

}  // namespace
}  // namespace arrowcdc
