// The settings that a command asks for, compared with those of an existing study.
#pragma once

#include <string>

namespace effnet::cli {

// Compares two settings texts (JSON objects). Throws Error(usage) with the first setting that differs, if any does.
// `study`: its name, for the message.
void check_same_settings(const std::string& asked, const std::string& stored, const std::string& study);

}  // namespace effnet::cli
