// Helpers for command-line tests: an Output that writes to memory, and functions that run or parse a command line.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "effnet/cli/program.h"

namespace effnet::cli {

class MemoryFile {
 public:
  MemoryFile() : file(::open_memstream(&bytes_, &size_)) {}
  ~MemoryFile() {
    std::fclose(file);
    std::free(bytes_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string text() {
    std::fflush(file);
    return {bytes_, size_};
  }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;

 public:
  std::FILE* file;
};

struct CapturedOutput {
  MemoryFile results, messages;
  Output out{results.file, messages.file};
};

// Runs `effnet WORDS...` in this process.
struct RunResult {
  int code;
  std::string results, messages;
};
inline RunResult run_effnet(std::vector<std::string> words) {
  words.insert(words.begin(), "effnet");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  CapturedOutput captured;
  const int code = run_program(static_cast<int>(words.size()), arguments.data(), effnet_program(), captured.out);
  return {code, captured.results.text(), captured.messages.text()};
}

// Parses the arguments `words` of a command. Returns its options.
template <class Options>
Options parsed(const std::vector<std::string>& words) {
  CLI::App app;
  app.option_defaults()->always_capture_default();
  Options options;
  declare_options(app, options);
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // CLI11 expects them reversed
  app.parse(reversed);
  return options;
}

// Returns "CODE MESSAGE" of the Error that `call` throws, or an empty text if it does not throw.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return fmt::format("{} {}", static_cast<int>(error.code()), error.what());
  }
  return {};
}

inline std::vector<std::string> keys(const Json& document) {
  std::vector<std::string> names;
  for (const auto& [name, value] : document.items()) names.push_back(name);
  return names;
}
using Keys = std::vector<std::string>;

}  // namespace effnet::cli
