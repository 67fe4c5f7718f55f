// A digest of a list of parts: XXH3 with 128 bits. It tells contents apart that differ by chance, not by a forger's
// work.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace effnet {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // The length goes before each part, so that no two lists of parts are the same bytes.
  void add(std::span<const std::byte> part);
  void add(std::string_view part) { add(std::as_bytes(std::span(part))); }
  std::string hex() const;  // 32 digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace effnet
