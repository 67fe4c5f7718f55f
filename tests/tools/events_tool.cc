// events_tool FOLDER <LINES: writes a TensorBoard event file. tests/integration/test_events.py reads the file and
// checks it. A line is "scalar STEP VALUE WALL_SECONDS TAG" or "restart STEP WALL_SECONDS". Prints the file's path.
#include <cstdio>
#include <iostream>
#include <string>

#include "effnet/base/error.h"
#include "effnet/report/events.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: events_tool FOLDER <LINES\n");
    return 2;
  }
  try {
    effnet::report::EventWriter writer(argv[1]);
    std::string kind, number, tag;
    long long step = 0;
    double wall = 0;
    while (std::cin >> kind >> step) {
      if (kind == "restart" && std::cin >> wall) {
        writer.restart(step, wall);
      } else if (kind == "scalar" && std::cin >> number >> wall && std::getline(std::cin >> std::ws, tag)) {
        writer.scalar(tag, step, std::stod(number), wall);
      } else {
        std::fprintf(stderr, "events_tool: invalid line: %s\n", kind.c_str());
        return 2;
      }
    }
    writer.flush();
    std::printf("%s\n", writer.path().c_str());
  } catch (const effnet::Error& error) {
    std::fprintf(stderr, "events_tool: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
