// Marks the symbols that libeffnet.so exports. All code is compiled with hidden symbols. A name is public if it is
// marked with EFFNET_API, or if it is defined completely in a public header (listed in cmake/EffnetInstall.cmake).
#pragma once

#define EFFNET_API __attribute__((visibility("default")))
// For private nested types of a public class. Without this mark they would be exported with the class.
#define EFFNET_HIDDEN __attribute__((visibility("hidden")))
