#include "effnet/train/run/summary.h"

#include <nlohmann/json.hpp>

#include "effnet/base/error.h"

namespace effnet::train {

using Json = nlohmann::ordered_json;

std::string summary_text(const Summary& s) {
  Json json{{"best_top1", s.best_top1 < 0 ? Json() : Json(s.best_top1)},
            {"best_epoch", s.best_epoch},
            {"saved_top1", s.saved_top1 < 0 ? Json() : Json(s.saved_top1)},
            {"saved_epoch", s.saved_epoch},
            {"epochs", s.epochs},
            {"images_per_second", s.images_per_second},
            {"seconds", s.seconds},
            {"params", s.params},
            {"macs", s.macs},
            {"device", s.device},
            {"isa", s.isa.empty() ? Json() : Json(s.isa)},
            {"world_size", s.world_size},
            {"peak_rss_bytes", s.peak_rss_bytes},
            {"data", s.data}};
  if (s.test_top1) json["test_top1"] = *s.test_top1;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // a path may contain invalid UTF-8
}

Summary parse_summary(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    Summary s;
    if (!json.at("best_top1").is_null()) json.at("best_top1").get_to(s.best_top1);
    json.at("best_epoch").get_to(s.best_epoch);
    json.at("epochs").get_to(s.epochs);
    json.at("images_per_second").get_to(s.images_per_second);
    json.at("seconds").get_to(s.seconds);
    json.at("params").get_to(s.params);
    json.at("macs").get_to(s.macs);
    json.at("device").get_to(s.device);
    // Earlier versions did not write these fields.
    if (const auto top1 = json.find("saved_top1"); top1 != json.end() && !top1->is_null()) top1->get_to(s.saved_top1);
    s.saved_epoch = json.value("saved_epoch", std::int64_t{0});
    if (const auto isa = json.find("isa"); isa != json.end() && !isa->is_null()) isa->get_to(s.isa);
    json.at("world_size").get_to(s.world_size);
    json.at("peak_rss_bytes").get_to(s.peak_rss_bytes);
    json.at("data").get_to(s.data);
    if (json.contains("test_top1")) s.test_top1 = json.at("test_top1").get<double>();
    return s;
  } catch (const nlohmann::json::exception& error) {
    throw input_error("not the summary of a run ({})", error.what());
  }
}

}  // namespace effnet::train
