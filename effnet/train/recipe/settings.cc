#include "effnet/train/recipe/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

constexpr double kMost = 0x1p53;  // whole numbers up to here are doubles

void check_name(std::string_view text) {
  if (text.empty()) throw usage_error("no model (got an empty text, expected a name, a .toml or a .safetensors file)");
}
void check_budget(std::string_view text) {
  if (!text.empty()) parse_seconds(text);
}

Setting or_unset(Setting setting, double unset) {
  setting.unset = unset;
  return setting;
}

std::vector<Setting> make_settings() {
  using M = ModelSettings;
  using D = DataSettings;
  using T = TrainSettings;
  using O = OptimizerSettings;
  using S = ScheduleSettings;
  return {
      {"seed", "All random numbers follow from it", &top<&Recipe::seed>, 0, kMost},

      {.key = "model.name",
       .meaning = "A MODEL (cli.md): a name from `effnet models`, an arch file, or a model file, run or checkpoint to "
                  "begin with",
       .member = model<&M::name>,
       .check = check_name},
      {"model.init",
       "Weights to start from: a MODEL (a pulled name, a file, a run, a checkpoint) or a foreign checkpoint; empty: "
       "the "
       "paper's initialisation",
       model<&M::init>},
      or_unset({"model.dropout", "Before the classifier; -1: the architecture's own", model<&M::dropout>, 0, 0.99}, -1),
      or_unset({"model.drop_path", "Stochastic depth of the last block; -1: the architecture's own",
                model<&M::drop_path>, 0, 0.99},
               -1),
      or_unset({"model.classes", "0: as many as the data has", model<&M::classes>, 2, 1e6}, 0),

      {"data.folder", "Where the pictures lie; --data goes before it, and is written here", data<&D::folder>},
      {"data.resolution", "Pixels a side; 0: the model's", data<&D::resolution>, 0, 8192},
      {"data.augment",
       "Each but the last holds what stands before it; randaugment takes autoaugment's place",
       data<&D::augment>,
       0,
       0,
       {"none", "flip", "inception", "autoaugment", "randaugment"}},
      {"data.area_low", "Smallest share of the picture that a random crop may have", data<&D::area_low>, 0.001, 1},
      {"data.shift", "For small pictures: moved by up to so many pixels each way instead of the random crop",
       data<&D::shift>, 0, 1024},
      {"data.randaugment_layers", "Operations a picture", data<&D::randaugment_layers>, 0, 16},
      {"data.randaugment_magnitude", "On the scale of 0 to 10; above, it extrapolates", data<&D::randaugment_magnitude>,
       0, 100},
      {"data.mixup", "Alpha of the Beta distribution; 0: off", data<&D::mixup>, 0, 100},
      {"data.cutmix", "The same; with both on, each batch draws one of them", data<&D::cutmix>, 0, 100},
      {"data.erasing", "Probability of random erasing", data<&D::erasing>, 0, 1},
      {"data.holdout", "Training pictures held out for selection, chosen by hash (the paper's minival)",
       data<&D::holdout>, 0, 1e9},
      {"data.shuffle", "A new order each epoch", data<&D::shuffle>},
      {"data.workers", "Loader threads; 0: the cores that do not compute, at least one", data<&D::workers>, 0, 1024},
      {"data.broken_limit", "Share of the pictures that may be broken, of a small set at least 3; 0: none may",
       data<&D::broken_limit>, 0, 1},
      {"data.synthetic", "So many pictures of noise instead of --data, for measuring speed", data<&D::synthetic>, 0,
       1e9},

      {.key = "train.epochs",
       .meaning = "Passes over the training pictures; may be a fraction",
       .member = train<&T::epochs>,
       .low = 0,
       .high = 1e6,
       .above_low = true},
      {.key = "train.time_budget",
       .meaning = "\"90s\", \"20m\", \"1h30m\": epochs are fitted to it; empty: train.epochs holds",
       .member = train<&T::time_budget>,
       .check = check_budget},
      {"train.batch", "The global batch: pictures an update, over all processes", train<&T::batch>, 1, 1 << 20},
      {"train.accumulate",
       "Parts that a process's share of the batch goes through in, to save memory; at most train.batch",
       train<&T::accumulate>, 1, 1 << 20},
      {"train.precision", "fp16 scales the loss; needs a GPU", train<&T::precision>, 0, 0, {"fp32", "bf16", "fp16"}},
      {"train.label_smoothing", "Share of the target spread over all classes", train<&T::label_smoothing>, 0, 0.99},
      {"train.clip_norm", "Largest norm of the whole gradient; 0: off", train<&T::clip_norm>, 0, 1e9},
      {"train.validate_every", "Epochs from one validation to the next, at their ends; 2.5 is every second or third",
       train<&T::validate_every>, 1, 1e6},
      {"train.fused", "effnet's own CPU kernels instead of LibTorch's, where they know the pattern", train<&T::fused>},

      {"optimizer.name",
       "RMSProp as TensorFlow defines it, SGD or AdamW",
       optimizer<&O::name>,
       0,
       0,
       {"rmsprop_tf", "sgd", "adamw"}},
      or_unset({"optimizer.lr", "Peak learning rate; -1: from lr_per_256. Only one of the two may be set",
                optimizer<&O::lr>, 0, 1e4},
               -1),
      or_unset({"optimizer.lr_per_256", "Peak learning rate for a batch of 256, scaled by train.batch; -1: lr is set",
                optimizer<&O::lr_per_256>, 0, 1e4},
               -1),
      {"optimizer.momentum", "Of rmsprop_tf and sgd; adamw: beta1", optimizer<&O::momentum>, 0, 0.9999999},
      {"optimizer.nesterov", "sgd only", optimizer<&O::nesterov>},
      or_unset({"optimizer.decay", "Of the mean square; adamw: beta2; -1: 0.9 and 0.999", optimizer<&O::decay>, 0,
                0.9999999},
               -1),
      or_unset({"optimizer.epsilon", "-1: 1e-3 of rmsprop_tf, where it stands inside the root, and 1e-8 of adamw",
                optimizer<&O::epsilon>, 0, 10},
               -1),
      {"optimizer.weight_decay", "Of all tensors but batch norms'", optimizer<&O::weight_decay>, 0, 10},

      {"schedule.name",
       "exponential: in steps; cosine: to 0 at the end",
       schedule<&S::name>,
       0,
       0,
       {"exponential", "cosine", "constant"}},
      {"schedule.warmup_epochs", "Linear from 0", schedule<&S::warmup_epochs>, 0, 1e6},
      {"schedule.decay_epochs", "exponential: length of a step", schedule<&S::decay_epochs>, 0.001, 1e6},
      {.key = "schedule.decay_rate",
       .meaning = "exponential: factor of a step",
       .member = schedule<&S::decay_rate>,
       .low = 0,
       .high = 1,
       .above_low = true},

      {"ema.decay", "Of the weights' moving average, which is what is evaluated and saved; 0: off",
       &top<&Recipe::ema_decay>, 0, 0.9999999},

      or_unset({"bn.momentum", "Of the moving statistics; -1: the architecture's own; 1: they stay as they are",
                &top<&Recipe::bn_momentum>, 0, 1},
               -1),
      {"bn.warmup", "At most (1 + step) / (10 + step) of the moving statistics is kept, as of the weights' average",
       &top<&Recipe::bn_warmup>},
      {"bn.unbiased", "Moving variance with n - 1, as PyTorch has it", &top<&Recipe::unbiased_moving_variance>},

      {"distributed.sync_bn", "Batch norm over the batches of all processes", &top<&Recipe::sync_bn>},

      {"checkpoint.every_steps", "0: at the end of an epoch only", &top<&Recipe::checkpoint_every_steps>, 0, 1e9},
      {"checkpoint.keep", "So many of the best are kept", &top<&Recipe::checkpoint_keep>, 1, 1000},
      {"checkpoint.result",
       "Whose weights become the model: of the best epoch in validation, or of the last one",
       &top<&Recipe::checkpoint_result>,
       0,
       0,
       {"best", "last"}},
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

bool takes(const Setting& setting, double number) {
  if (setting.unset && number == *setting.unset) return true;
  return (setting.above_low ? number > setting.low : number >= setting.low) && number <= setting.high;
}

std::string value_text(const Setting& setting, const Recipe& recipe) {
  Recipe copy = recipe;  // members are reached through a Recipe that may be written
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = member(copy);
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return toml_value(std::string_view(value));
        } else if constexpr (std::is_same_v<Value, double>) {
          return toml_value(value);
        } else {
          return fmt::format("{}", value);
        }
      },
      setting.member);
}

std::string expected_text(const Setting& setting) {
  if (!setting.choices.empty()) return fmt::format("one of {}", fmt::join(setting.choices, ", "));
  return std::visit(
      [&](auto member) -> std::string {
        using Value = std::decay_t<decltype(member(std::declval<Recipe&>()))>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return "a text";
        } else if constexpr (std::is_same_v<Value, bool>) {
          return "true or false";
        } else if constexpr (std::is_same_v<Value, double>) {
          const std::string range = setting.above_low
                                        ? fmt::format("a number above {}, at most {}", setting.low, setting.high)
                                        : fmt::format("a number from {} to {}", setting.low, setting.high);
          return setting.unset ? fmt::format("{}, or {}", range, *setting.unset) : range;
        } else {
          const std::string range = fmt::format("a whole number from {} to {}", static_cast<std::int64_t>(setting.low),
                                                static_cast<std::int64_t>(setting.high));
          return setting.unset ? fmt::format("{}, or {}", range, static_cast<std::int64_t>(*setting.unset)) : range;
        }
      },
      setting.member);
}

}  // namespace effnet::train
