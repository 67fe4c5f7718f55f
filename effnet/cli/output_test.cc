#include "effnet/cli/output.h"

#include <pty.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

TEST(Output, SeparatesResultsFromMessages) {
  CapturedOutput captured;
  Output& out = captured.out;
  out.print("a\n");
  out.print_json({{"b", 1}});
  out.print_json_line({{"c", {1, 2}}});
  out.error(input_error("bad\nline").with_hint("mend it"));
  out.warn("odd\x1b");
  out.say("said");
  out.note("for a person");
  out.status("for a person");
  EXPECT_EQ(captured.results.text(), "a\n{\n  \"b\": 1\n}\n{\"c\":[1,2]}\n");
  EXPECT_EQ(captured.messages.text(), "effnet: error: bad line\nhint: mend it\neffnet: warning: odd\\x1b\nsaid\n");
}

TEST(Output, QuietKeepsErrors) {
  CapturedOutput captured;
  captured.out.set_quiet(true);
  captured.out.warn("odd");
  captured.out.say("said");
  captured.out.message("raw\n");
  captured.out.error(usage_error("wrong"));
  EXPECT_EQ(captured.messages.text(), "raw\neffnet: error: wrong\n");
}

TEST(Output, JsonReplacesBytesThatAreNotUtf8) {
  CapturedOutput captured;
  captured.out.print_json_line({{"path", "a\xff"}});
  EXPECT_EQ(captured.results.text(), "{\"path\":\"a\xef\xbf\xbd\"}\n");
}

TEST(Output, FailedWriteIsAnEnvironmentError) {
  MemoryFile messages;
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  Output out(full, messages.file);
  EXPECT_EQ(refusal([&] { out.print("x"); }), "4 cannot write the result to stdout (No space left on device)");
  std::fclose(full);

  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  std::FILE* closed = ::fdopen(ends[1], "w");
  Output into_closed(closed, messages.file);
  EXPECT_EQ(refusal([&] { into_closed.print_json({}); }), "4 cannot write the result to stdout (Broken pipe)");
  std::fclose(closed);
}

// A pseudo-terminal. seen() returns what a user would see.
class Terminal {
 public:
  Terminal() {
    if (::openpty(&far_, &near_, nullptr, nullptr, nullptr) != 0) throw internal_error("no terminal");
    file = ::fdopen(near_, "w");
    std::setvbuf(file, nullptr, _IONBF, 0);
  }
  ~Terminal() {
    std::fclose(file);
    ::close(far_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  std::string seen() {
    std::fputs("END", file);  // marks the end, so that read() never blocks
    std::string text;
    std::array<char, 256> block{};
    while (!text.ends_with("END")) {
      const ssize_t got = ::read(far_, block.data(), block.size());
      if (got <= 0) break;
      text.append(block.data(), static_cast<std::size_t>(got));
    }
    return text.substr(0, text.size() - 3);
  }
  std::FILE* file = nullptr;

 private:
  int far_ = -1, near_ = -1;
};

TEST(Output, ShowsProgressOnATerminal) {
  Terminal terminal;
  MemoryFile results;
  Output out(results.file, terminal.file);
  out.note("packing");
  {
    Progress progress(out, "predict", 10);
    progress.update(0);  // nothing is done, so there is no rate to show
    EXPECT_EQ(terminal.seen(), "packing\r\n");
    progress.update(5);
    const std::string line = terminal.seen();
    EXPECT_EQ(line.substr(0, 16), "\r\033[Kpredict 5/10");
    EXPECT_TRUE(line.ends_with(" left")) << line;
  }
  EXPECT_EQ(terminal.seen(), "\r\033[K");
  out.status("");  // no status line to clear
  EXPECT_EQ(terminal.seen(), "");
  out.set_quiet(true);
  out.note("packing");
  out.status("predict");
  EXPECT_EQ(terminal.seen(), "");
  out.set_quiet(false);
  out.status("half");
  out.error(usage_error("stopped"));
  EXPECT_EQ(terminal.seen(), "\r\033[Khalf\r\033[Keffnet: error: stopped\r\n");
  EXPECT_EQ(results.text(), "");
}

// A terminal shows both streams, and a status line has no line end.
TEST(Output, ClearsTheStatusLineBeforeAnyOtherLine) {
  Terminal terminal;
  Output out(terminal.file, terminal.file);
  const auto seen_after = [&](const auto& write) {
    out.status("half");
    terminal.seen();
    write();
    return terminal.seen();
  };
  EXPECT_EQ(seen_after([&] { out.print("result\n"); }), "\r\033[Kresult\r\n");
  EXPECT_EQ(seen_after([&] { out.print_json_line({{"a", 1}}); }), "\r\033[K{\"a\":1}\r\n");
  EXPECT_EQ(seen_after([&] { out.warn("odd"); }), "\r\033[Keffnet: warning: odd\r\n");
  EXPECT_EQ(seen_after([&] { out.say("said"); }), "\r\033[Ksaid\r\n");
  EXPECT_EQ(seen_after([&] { out.note("packing"); }), "\r\033[Kpacking\r\n");
  out.say("again");  // nothing is left to clear
  EXPECT_EQ(terminal.seen(), "again\r\n");
}

TEST(Output, ResultsInAFileLeaveTheStatusLine) {
  Terminal terminal;
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Output out(file, terminal.file);
  out.status("half");
  out.print("result\n");
  EXPECT_EQ(terminal.seen(), "\r\033[Khalf");
  out.status("");
  EXPECT_EQ(terminal.seen(), "\r\033[K");
  std::fclose(file);
}

TEST(Output, AnErrorOfAnotherProcessCanBeRead) {
  CapturedOutput captured;
  captured.out.warn("before");
  captured.out.error(input_error("data: no such folder").with_hint("make it"));
  const std::optional<Error> error = read_error(captured.messages.text(), 3);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::input);
  EXPECT_STREQ(error->what(), "data: no such folder");
  EXPECT_EQ(error->hint(), "make it");
  captured.out.error(usage_error("the last one counts"));
  EXPECT_STREQ(read_error(captured.messages.text(), 2)->what(), "the last one counts");
  EXPECT_EQ(read_error(captured.messages.text(), 2)->hint(), "");
  EXPECT_EQ(read_error("effnet: error: cut o", 4)->hint(), "");
  EXPECT_FALSE(read_error(captured.messages.text(), 137)) << "no exit code of an error";
  EXPECT_FALSE(read_error(captured.messages.text(), 0));
  EXPECT_FALSE(read_error("why\n", 3));
  EXPECT_FALSE(read_error("not effnet: error: x\n", 3)) << "inside of a line";
}

TEST(Output, RedrawsInPlaceOnATerminal) {
  Terminal terminal;
  MemoryFile messages;
  Output out(terminal.file, messages.file);
  out.redraw("a\nb\n");
  EXPECT_EQ(terminal.seen(), "\033[J\033[?7la\r\nb\r\n\033[?7h");
  out.redraw("c\n");  // up by the two lines of the first text
  EXPECT_EQ(terminal.seen(), "\033[2A\033[J\033[?7lc\r\n\033[?7h");
  out.redraw("");
  EXPECT_EQ(terminal.seen(), "\033[1A\033[J\033[?7l\033[?7h");
  CapturedOutput captured;
  captured.out.redraw("a\n");
  EXPECT_EQ(captured.results.text(), "");
}

}  // namespace
}  // namespace effnet::cli
