// Manual pages and completions. What man(1) and the shells say of them: tests/installation/package_test.py.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/documents/completions.h"
#include "cli/documents/manual_page.h"

namespace arrowcdc::cli {
namespace {

const Command& Find(std::string_view name) {
  for (const Command& command : Commands()) {
    if (command.name == name) return command;
  }
  ADD_FAILURE() << "no command " << name;
  return Commands().front();
}

void ExpectIn(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
}

TEST(ManualPage, OfTheProgramNamesItsCommands) {
  const std::string page = MakeManualPage();
  ExpectIn(page, {"\n.TH \"ARROWCDC\" \"1\" ", "\n\\fBarrowcdc\\-sql\\fR(1)",
                  "\n\\fBarrowcdc\\-add\\-tables\\fR(1)", "\n.SH EXIT STATUS\n0 done, 1 other failure, ",
                  ".TP\n\\fB\\-\\-log\\fR \\fIauto|text|json\\fR\n",
                  ".nf\narrowcdc setup  \\-\\-source \"host=db dbname=shop\" \\-\\-slot shop "
                  "\\-\\-tables \\(aqpublic.*\\(aq\n.fi\n"});
}

TEST(ManualPage, OfACommandHasItsArgumentsAndOptions) {
  const std::string page = MakeManualPage(Find("stream"));
  ExpectIn(page, {"\n.TH \"ARROWCDC\\-STREAM\" ", "\\fBarrowcdc stream\\fR \\fB\\-\\-sink\\fR \\fITEXT\\fR [",
                  ".TP\n\\fB\\-\\-tables\\fR \\fITEXT\\fR ...\n",
                  ".TP\n\\fB\\-\\-roll\\-bytes\\fR \\fISIZE\\fR\nclose a file at this size\n"
                  ".br\n(above 0; default: 128MiB)\n",
                  ".SH AMOUNTS\n", ".SH EXIT STATUS\n"});
  EXPECT_EQ(page.find("unread"), std::string::npos) << "an option of the Python package";
  ExpectIn(MakeManualPage(Find("sql")),
           {"\\fBarrowcdc sql\\fR \\fIDIR\\fR \\fITABLE\\fR [", ".SH ARGUMENTS\n.TP\n\\fIDIR\\fR\n"});
  ExpectIn(MakeManualPage(Find("tail")),
           {"\\fBarrowcdc tail\\fR [\\fICONNINFO\\fR ...] [\\fIOPTION\\fR ...]\n"});
  ExpectIn(MakeManualPage(Find("teardown")), {".TP\n\\fB\\-y\\fR, \\fB\\-\\-yes\\fR\ndo not ask\n"});
}

TEST(Completions, OfBash) {
  const std::string text = MakeBashCompletion();
  ExpectIn(
      text,
      {"    --plugin) COMPREPLY=($(compgen -W 'auto wal2arrow pgoutput' -- \"$current\")); return ;;\n",
       "    --slot) return ;;\n", "compgen -W 'parquet: ipc: ipc:- console console:ndjson console:table'",
       "        parquet|ipc) compopt -o filenames; "});
  EXPECT_EQ(text.find("--partitions)"), std::string::npos) << "an option of the Python package";
}

// By the shell itself: names of files have blanks in them.
TEST(Completions, OfBashLeaveNamesWhole) {
  std::string directory = testing::TempDir() + "completions_XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::filesystem::create_directory(directory + "/my files");
  std::ofstream(directory + "/shop one.yaml");
  std::ofstream(directory + "/completion") << MakeBashCompletion();
  std::ofstream(directory + "/ask") << R"(cd "$1" && source ./completion
ask() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _arrowcdc 2>/dev/null  # compopt works in a terminal alone
  printf '<%s>' "${COMPREPLY[@]}"; echo
}
ask arrowcdc stream --config sho
ask arrowcdc stream --sink parquet : my
ask arrowcdc sql my
ask arrowcdc config check sho
ask arrowcdc tai
)";
  FILE* const bash = popen(("bash '" + directory + "/ask' '" + directory + "'").c_str(), "r");
  ASSERT_NE(bash, nullptr);
  std::string answers;
  for (int c; (c = std::fgetc(bash)) != EOF;) answers += static_cast<char>(c);
  EXPECT_EQ(pclose(bash), 0);
  EXPECT_EQ(answers, "<shop one.yaml>\n<my files>\n<my files>\n<shop one.yaml>\n<tail>\n");
  std::filesystem::remove_all(directory);
}

TEST(Completions, OfZsh) {
  ExpectIn(MakeZshCompletion(),
           {"#compdef arrowcdc\n",
            "  'sql:print a DuckDB query for the current rows of a table of --sink parquet\\:DIR'\n",
            "'--plugin=[output plugin of the slot]:plugin:(auto wal2arrow pgoutput)'",
            "'*--tables=[table patterns, as in '\\''public.*'\\'' ", "'(-y --yes)'{-y,--yes}'[do not ask]'",
            "':DIR:_files -/'"});
}

TEST(Completions, OfFish) {
  ExpectIn(MakeFishCompletion(),
           {"complete -c arrowcdc -n __fish_use_subcommand -a stream -d 'stream changes into a sink'\n",
            "complete -c arrowcdc -n '__fish_seen_subcommand_from setup add-tables teardown' -l yes -s y -d "
            "'do not "
            "ask'\n",
            "-l plugin -x -d 'output plugin of the slot' -a 'auto wal2arrow pgoutput'\n"});
}

}  // namespace
}  // namespace arrowcdc::cli
