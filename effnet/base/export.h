// What libeffnet.so shows to other programs. Everything is compiled with hidden symbols; a name is public because it is
// marked here or lies whole in a public header (cmake/EffnetInstall.cmake lists these).
#pragma once

#define EFFNET_API __attribute__((visibility("default")))
// For what a public class keeps to itself: nested types would be as visible as the class.
#define EFFNET_HIDDEN __attribute__((visibility("hidden")))
