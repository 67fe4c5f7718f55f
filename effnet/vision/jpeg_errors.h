// libjpeg's error callback, for the reader (jpeg.cc) and the writer (encode.cc). The callback must not return, so it
// leaves libjpeg by longjmp. No object with a destructor may be created between setjmp and libjpeg's C frames.
#pragma once

#include <csetjmp>
#include <cstdio>

// jpeglib.h requires stdio before it, and jerror.h requires jpeglib.h.
#include <jpeglib.h>

#include <jerror.h>

namespace effnet::vision {

struct JpegErrors {
  jpeg_error_mgr base;  // the first member, so that libjpeg's pointer to it also points to this struct
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] inline void fail(j_common_ptr codec) {
  auto* errors = reinterpret_cast<JpegErrors*>(codec->err);
  errors->base.format_message(codec, errors->text);
  std::longjmp(errors->jump, 1);
}

}  // namespace effnet::vision
