// libjpeg's errors, for the reader (jpeg.cc) and the writer (encode.cc): a callback that must not return, so control
// leaves it by longjmp. Between setjmp and libjpeg's C frames no object may have a destructor.
#pragma once

#include <csetjmp>
#include <cstdio>

// jpeglib.h needs stdio first, jerror.h jpeglib.h.
#include <jpeglib.h>

#include <jerror.h>

namespace effnet::vision {

struct JpegErrors {
  jpeg_error_mgr base;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] inline void fail(j_common_ptr codec) {
  auto* errors = reinterpret_cast<JpegErrors*>(codec->err);
  errors->base.format_message(codec, errors->text);
  std::longjmp(errors->jump, 1);
}

}  // namespace effnet::vision
