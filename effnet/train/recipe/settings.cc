#include "effnet/train/recipe/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "effnet/base/toml.h"

namespace effnet::train {
namespace {

template <auto kSection, auto kField>
auto& in(Recipe& recipe) {
  return (recipe.*kSection).*kField;
}
template <auto kField>
auto& top(Recipe& recipe) {
  return recipe.*kField;
}

template <auto kField>
constexpr auto model = &in<&Recipe::model, kField>;
template <auto kField>
constexpr auto data = &in<&Recipe::data, kField>;
template <auto kField>
constexpr auto train = &in<&Recipe::train, kField>;
template <auto kField>
constexpr auto optimizer = &in<&Recipe::optimizer, kField>;
template <auto kField>
constexpr auto schedule = &in<&Recipe::schedule, kField>;

// The member that `kMember` reaches, which is an enumeration with `kNames`.
template <const auto& kNames, auto kMember>
Choice choice() {
  Choice choice{
      .names = {},
      .get = [](Recipe& recipe) { return name_in(kNames, kMember(recipe)); },
      .set = [](Recipe& recipe, std::string_view text) { kMember(recipe) = named_in(kNames, text, "choice"); }};
  for (const auto& [value, name] : kNames) choice.names.push_back(name);
  return choice;
}

constexpr double kMost = 0x1p53;  // whole numbers up to here are doubles

void check_name(std::string_view text) {
  if (text.empty()) throw usage_error("no model (got an empty text, expected a name, a .toml or a .safetensors file)");
}
void check_budget(std::string_view text) {
  if (!text.empty()) parse_seconds(text);
}

constexpr Range from(double low, double high) { return {.low = low, .high = high}; }
constexpr Range above(double low, double high) { return {.low = low, .high = high, .above_low = true}; }
constexpr Range or_unset(Range range, double unset) {
  range.unset = unset;
  return range;
}

std::vector<Setting> make_settings() {
  using enum Kind;
  using M = ModelSettings;
  using D = DataSettings;
  using T = TrainSettings;
  using O = OptimizerSettings;
  using S = ScheduleSettings;
  return {
      {"seed", result, &top<&Recipe::seed>, "All random numbers follow from it", from(0, kMost)},

      {"model.name",
       model_file,
       model<&M::name>,
       "A MODEL (cli.md): a name from `effnet models`, an arch file, or a model file, run or checkpoint to begin with",
       {},
       check_name},
      {"model.init", model_file, model<&M::init>,
       "Weights to start from: a MODEL (a pulled name, a file, a run, a checkpoint) or a foreign checkpoint; empty: "
       "the paper's initialisation"},
      {"model.dropout", result, model<&M::dropout>, "Before the classifier; -1: the architecture's own",
       or_unset(from(0, 0.99), -1)},
      {"model.drop_path", result, model<&M::drop_path>,
       "Stochastic depth of the last block; -1: the architecture's own", or_unset(from(0, 0.99), -1)},
      {"model.classes", result, model<&M::classes>, "0: as many as the data has", or_unset(from(2, 1e6), 0)},

      {"data.folder", data_folder, data<&D::folder>,
       "Where the images lie; --data goes before it, and is written here"},
      {"data.resolution", result, data<&D::resolution>, "Pixels a side; 0: the model's", from(0, 8192)},
      {"data.augment", result, choice<vision::kAugments, data<&D::augment>>(),
       "Each but the last holds what stands before it; randaugment takes autoaugment's place"},
      {"data.area_low", result, data<&D::area_low>, "Smallest share of the image that a random crop may have",
       from(0.001, 1)},
      {"data.shift", result, data<&D::shift>,
       "For small images: moved by up to so many pixels each way instead of the random crop", from(0, 1024)},
      {"data.randaugment_layers", result, data<&D::randaugment_layers>, "Operations an image", from(0, 16)},
      {"data.randaugment_magnitude", result, data<&D::randaugment_magnitude>,
       "On the scale of 0 to 10; above, it extrapolates", from(0, 100)},
      {"data.mixup", result, data<&D::mixup>, "Alpha of the Beta distribution; 0: off", from(0, 100)},
      {"data.cutmix", result, data<&D::cutmix>, "The same; with both on, each batch draws one of them", from(0, 100)},
      {"data.erasing", result, data<&D::erasing>, "Probability of random erasing", from(0, 1)},
      {"data.holdout", result, data<&D::holdout>,
       "Training images held out for selection, chosen by hash (the paper's minival)", from(0, 1e9)},
      {"data.shuffle", result, data<&D::shuffle>, "A new order each epoch"},
      {"data.workers", machine, data<&D::workers>, "Loader threads; 0: the cores that do not compute, at least one",
       from(0, 1024)},
      {"data.broken_limit", handling, data<&D::broken_limit>,
       "Share of the images that may be broken, of a small set at least 3; 0: none may", from(0, 1)},
      {"data.synthetic", result, data<&D::synthetic>, "So many images of noise instead of --data, for measuring speed",
       from(0, 1e9)},

      {"train.epochs", course, train<&T::epochs>, "Passes over the training images; may be a fraction", above(0, 1e6)},
      {"train.time_budget",
       handling,
       train<&T::time_budget>,
       "\"90s\", \"20m\", \"1h30m\": epochs are fitted to it; empty: train.epochs holds",
       {},
       check_budget},
      {"train.batch", result, train<&T::batch>, "The global batch: images an update, over all processes",
       from(1, 1 << 20)},
      {"train.accumulate", result, train<&T::accumulate>,
       "Parts that a process's share of the batch goes through in, to save memory; at most train.batch",
       from(1, 1 << 20)},
      {"train.precision", result, choice<kPrecisions, train<&T::precision>>(), "fp16 scales the loss; needs a GPU"},
      {"train.label_smoothing", result, train<&T::label_smoothing>, "Share of the target spread over all classes",
       from(0, 0.99)},
      {"train.clip_norm", course, train<&T::clip_norm>, "Largest norm of the whole gradient; 0: off", from(0, 1e9)},
      {"train.validate_every", handling, train<&T::validate_every>,
       "Epochs from one validation to the next, at their ends; 2.5 is every second or third", from(1, 1e6)},
      {"train.fused", handling, train<&T::fused>,
       "effnet's own CPU kernels instead of LibTorch's, where they know the pattern"},

      {"optimizer.name", result, choice<kOptimizers, optimizer<&O::name>>(),
       "RMSProp as TensorFlow defines it, SGD or AdamW"},
      {"optimizer.lr", course, optimizer<&O::lr>,
       "Peak learning rate; -1: from lr_per_256. Only one of the two may be set", or_unset(from(0, 1e4), -1)},
      {"optimizer.lr_per_256", course, optimizer<&O::lr_per_256>,
       "Peak learning rate for a batch of 256, scaled by train.batch; -1: lr is set", or_unset(from(0, 1e4), -1)},
      {"optimizer.momentum", result, optimizer<&O::momentum>, "Of rmsprop_tf and sgd; adamw: beta1",
       from(0, 0.9999999)},
      {"optimizer.nesterov", result, optimizer<&O::nesterov>, "sgd only"},
      {"optimizer.decay", result, optimizer<&O::decay>, "Of the mean square; adamw: beta2; -1: 0.9 and 0.999",
       or_unset(from(0, 0.9999999), -1)},
      {"optimizer.epsilon", result, optimizer<&O::epsilon>,
       "-1: 1e-3 of rmsprop_tf, where it stands inside the root, and 1e-8 of adamw", or_unset(from(0, 10), -1)},
      {"optimizer.weight_decay", result, optimizer<&O::weight_decay>, "Of all tensors but batch norms'", from(0, 10)},

      {"schedule.name", result, choice<kSchedules, schedule<&S::name>>(),
       "exponential: in steps; cosine: to 0 at the end"},
      {"schedule.warmup_epochs", course, schedule<&S::warmup_epochs>, "Linear from 0", from(0, 1e6)},
      {"schedule.decay_epochs", result, schedule<&S::decay_epochs>, "exponential: length of a step", from(0.001, 1e6)},
      {"schedule.decay_rate", result, schedule<&S::decay_rate>, "exponential: factor of a step", above(0, 1)},

      {"ema.decay", result, &top<&Recipe::ema_decay>,
       "Of the weights' moving average, which is what is evaluated and saved; 0: off", from(0, 0.9999999)},

      {"bn.momentum", result, &top<&Recipe::bn_momentum>,
       "Of the moving statistics; -1: the architecture's own; 1: they stay as they are", or_unset(from(0, 1), -1)},
      {"bn.warmup", result, &top<&Recipe::bn_warmup>,
       "At most (1 + step) / (10 + step) of the moving statistics is kept, as of the weights' average"},
      {"bn.unbiased", result, &top<&Recipe::unbiased_moving_variance>, "Moving variance with n - 1, as PyTorch has it"},

      {"distributed.sync_bn", result, &top<&Recipe::sync_bn>, "Batch norm over the batches of all processes"},

      {"checkpoint.every_steps", handling, &top<&Recipe::checkpoint_every_steps>, "0: at the end of an epoch only",
       from(0, 1e9)},
      {"checkpoint.keep", handling, &top<&Recipe::checkpoint_keep>, "So many of the best are kept", from(1, 1000)},
      {"checkpoint.result", handling, choice<kSavedEpochs, &top<&Recipe::checkpoint_result>>(),
       "Whose weights become the model: of the best epoch in validation, or of the last one"},
  };
}

}  // namespace

std::string_view Setting::section() const {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}
std::string_view Setting::name() const { return key.substr(key.find('.') + 1); }  // npos + 1 is 0

std::span<const Setting> settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

const Setting* find_setting(std::string_view key) {
  const auto found = std::ranges::find(settings(), key, &Setting::key);
  return found == settings().end() ? nullptr : &*found;
}

bool takes(const Setting& setting, double number) {
  const Range& range = setting.range;
  if (range.unset && number == *range.unset) return true;
  return (range.above_low ? number > range.low : number >= range.low) && number <= range.high;
}

bool takes(const Choice& choice, std::string_view text) { return std::ranges::count(choice.names, text) != 0; }

std::string value_text(const Setting& setting, const Recipe& recipe) {
  Recipe copy = recipe;  // members are reached through a Recipe that may be written
  return std::visit(
      [&](const auto& member) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          return toml_value(member.get(copy));
        } else {
          const auto& value = member(copy);
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, std::string>) {
            return toml_value(std::string_view(value));
          } else if constexpr (std::is_same_v<Value, double>) {
            return toml_value(value);
          } else {
            return fmt::format("{}", value);
          }
        }
      },
      setting.member);
}

std::string& text_of(const Setting& setting, Recipe& recipe) {
  return std::get<std::string& (*)(Recipe&)>(setting.member)(recipe);
}

std::string expected_text(const Setting& setting) {
  const Range& range = setting.range;
  return std::visit(
      [&](const auto& member) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          return fmt::format("one of {}", fmt::join(member.names, ", "));
        } else {
          using Value = std::decay_t<decltype(member(std::declval<Recipe&>()))>;
          if constexpr (std::is_same_v<Value, std::string>) {
            return "a text";
          } else if constexpr (std::is_same_v<Value, bool>) {
            return "true or false";
          } else {
            using Number = std::conditional_t<std::is_same_v<Value, double>, double, std::int64_t>;
            const auto low = static_cast<Number>(range.low), high = static_cast<Number>(range.high);
            const char* const kind = std::is_same_v<Value, double> ? "number" : "whole number";
            const std::string text = range.above_low ? fmt::format("a {} above {}, at most {}", kind, low, high)
                                                     : fmt::format("a {} from {} to {}", kind, low, high);
            return range.unset ? fmt::format("{}, or {}", text, static_cast<Number>(*range.unset)) : text;
          }
        }
      },
      setting.member);
}

std::vector<const Setting*> differing_settings(const Recipe& now, const Recipe& then) {
  std::vector<const Setting*> differing;
  for (const Setting& setting : settings()) {
    const bool a_file = setting.kind == Kind::model_file || setting.kind == Kind::data_folder;
    if (!a_file && value_text(setting, now) != value_text(setting, then)) differing.push_back(&setting);
  }
  return differing;
}

}  // namespace effnet::train
