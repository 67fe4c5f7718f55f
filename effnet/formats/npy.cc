#include "effnet/formats/npy.h"

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::formats {

void write_npy(const std::filesystem::path& path, std::span<const float> values, const tensor::Dims& dims) {
  EFFNET_CHECK(tensor::numel(dims) == static_cast<std::int64_t>(values.size()));
  std::string shape;
  for (const std::int64_t dim : dims) shape += fmt::format("{},", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   tensor::info(tensor::Dtype::f32).numpy, shape);
  // The magic number, the version and the length take 10 bytes. The header is padded, so that the data begins at a
  // multiple of 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string start = "\x93NUMPY\x01";
  start += '\0';
  start += static_cast<char>(header.size() & 0xff);
  start += static_cast<char>(header.size() >> 8);

  AtomicFile file(path);
  file.write(start);
  file.write(header);
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace effnet::formats
