#include "effnet/transfer/embed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/data/image_list.h"
#include "effnet/model/classifier.h"
#include "effnet/model/model_testing.h"
#include "effnet/transfer/compute.h"
#include "effnet/transfer/probe.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/draw.h"

namespace effnet::transfer {
namespace {

namespace fs = std::filesystem;
using model::testkit::kSide;
using model::testkit::test_image;
using model::testkit::tiny_model;

class Embedding : public model::testkit::WithHome {
 protected:
  // Writes an image whose colours depend on `brightness`, so that classes can be told apart.
  std::string write_image(const std::string& name, int seed, int brightness = 0) const {
    vision::Image image = test_image(44 + seed % 5, 51 + seed % 7);
    for (std::size_t i = 0; i < image.rgb.size(); ++i)
      image.rgb[i] = static_cast<std::uint8_t>((image.rgb[i] + 37 * seed * static_cast<int>(i % 5)) % 128 + brightness);
    make_folders(fs::path(at(name)).parent_path());
    write_bytes(at(name), vision::encode_png(image));
    return at(name);
  }
  std::unique_ptr<data::Dataset> three_images() const {
    return data::image_list({write_image("a.png", 1), write_image("b.png", 2), write_image("c.png", 3)});
  }
  std::string model_file() const { return write_file(tiny_model(), "tiny.safetensors"); }
  bool cache_exists() const { return fs::exists(at("home") + "/features"); }
};

TEST_F(Embedding, TimesTheClassifierGivesTheLogits) {
  model::ModelHandle model(tiny_model(), pool_);
  const auto set = three_images();
  const Embeddings embeddings = embed(*set, model, pool_);
  ASSERT_EQ(embeddings.width, 50);
  ASSERT_EQ(embeddings.indices, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_FALSE(cache_exists()) << "weights without identity were cached";

  const tensor::Weights& weights = model.load_weights().weights;
  const LinearProbe layer{50, 37, tensor::to_floats(weights.at("classifier.weight")),
                          tensor::to_floats(weights.at("classifier.bias"))};
  const Compute compute(1);
  const std::vector<float> logits = layer.logits(compute.context, embeddings.values);
  model::Classifier classifier(model, {}, pool_);
  for (std::int64_t i = 0; i < 3; ++i) {
    const vision::Image image = vision::decode(std::get<std::vector<std::byte>>(set->read(i)));
    const std::vector<float> expected = classifier.classify(image).logits;
    // Both are float32 sums of 50 products.
    const float largest = *std::ranges::max_element(expected, {}, [](float x) { return std::abs(x); });
    for (std::size_t k = 0; k < 37; ++k)
      EXPECT_NEAR(logits[static_cast<std::size_t>(i) * 37 + k], expected[k], 100 * 0x1p-23 * std::abs(largest));
  }
}

TEST_F(Embedding, TheCacheGivesTheSameBits) {
  model::ModelHandle model(model_file(), {}, pool_);
  const auto set = three_images();
  const Embeddings plain = embed(*set, model, pool_, {.cache = false});
  EXPECT_FALSE(cache_exists());
  const Embeddings first = embed(*data::image_list({at("b.png")}), model, pool_);
  EXPECT_EQ(first.cached, 0);
  const Embeddings second = embed(*set, model, pool_);
  EXPECT_EQ(second.cached, 1);
  EXPECT_EQ(second.values, plain.values);
  // The content counts, not the path.
  fs::rename(at("b.png"), at("moved.png"));
  const Embeddings third = embed(*data::image_list({at("moved.png"), at("a.png")}), model, pool_);
  EXPECT_EQ(third.cached, 2);
  EXPECT_TRUE(std::ranges::equal(third.row(0), plain.row(1)));
  EXPECT_TRUE(std::ranges::equal(third.row(1), plain.row(0)));
  // Another preprocessing is another key.
  const Preprocessing other = model.preprocessing().at({kSide + 8, kSide + 8});
  EXPECT_EQ(embed(*set, model, pool_, {.preprocessing = other}).cached, 0);
}

TEST_F(Embedding, DoesNotDependOnThreadsOrOtherImages) {
  model::ModelHandle model(tiny_model(), pool_);
  const Embeddings all = embed(*three_images(), model, pool_);
  ThreadPool one(1);
  model::ModelHandle again(tiny_model(), one);
  const Embeddings last = embed(*data::image_list({at("c.png")}), again, one);
  EXPECT_TRUE(std::ranges::equal(last.row(0), all.row(2)));
}

TEST_F(Embedding, CorruptImagesAreListed) {
  model::ModelHandle model(model_file(), {}, pool_);
  write_image("a.png", 1);
  write_text(at("broken.png"), "\x89PNG\r\n\x1a\n");
  const auto set = data::image_list({at("broken.png"), at("a.png"), at("missing.png")});
  const Embeddings embeddings = embed(*set, model, pool_);
  EXPECT_EQ(embeddings.indices, std::vector<std::int64_t>{1});
  ASSERT_EQ(embeddings.corrupt.size(), 2U);
  EXPECT_EQ(embeddings.corrupt[0].name, at("broken.png"));
  EXPECT_FALSE(embeddings.corrupt[1].why.empty());
  EXPECT_THROW(embed(*data::image_list({at("broken.png")}), model, pool_), Error);
}

TEST_F(Embedding, MapsAreThoseOfTheReferenceExecutor) {
  model::ModelHandle model(tiny_model(), pool_);
  const auto set = three_images();
  const EmbeddingsWithMaps result = embed_with_maps(*set, model, pool_);
  const std::shared_ptr<const graph::Graph> graph = model.graph();
  ASSERT_EQ(result.maps.size(), graph->reductions.size());
  model::Classifier reference(model, {.executor = "reference"}, pool_);
  std::vector<graph::NodeId> nodes = graph->reductions;
  nodes.push_back(model::embedding_node(*graph));
  const vision::Sampled view = reference.view(vision::decode(std::get<std::vector<std::byte>>(set->read(1))));
  const std::vector<std::vector<float>> expected = reference.outputs(std::span(&view, 1), nodes);
  const auto near = [](std::span<const float> values, const std::vector<float>& right) {
    ASSERT_EQ(values.size(), right.size());
    // As in model/executor_test.cc: 20 layers, each with 8 times the error of float32, of the largest value.
    const float tolerance = 20 * 8 * 0x1p-22F * static_cast<float>(engine::testkit::largest_of(right));
    for (std::size_t i = 0; i < right.size(); ++i) ASSERT_NEAR(values[i], right[i], tolerance) << i;
  };
  for (std::size_t i = 0; i < result.maps.size(); ++i) {
    const auto& [shape, values] = result.maps[i];
    EXPECT_EQ(shape.h, kSide >> (i + 1));
    const auto size = static_cast<std::size_t>(shape.numel());
    ASSERT_EQ(values.size(), 3 * size);
    near(std::span(values).subspan(size, size), expected[i]);
  }
  near(result.embeddings.row(1), expected.back());
}

TEST_F(Embedding, MapsThatDoNotFitAreRefused) {
  model::ModelHandle model(tiny_model(), pool_);
  const std::vector<fs::path> many(1 << 20, at("a.png"));
  try {
    embed_with_maps(*data::image_list(many), model, pool_);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("got 1048576 images"), std::string::npos) << error.what();
  }
}

class ProbeOfFolders : public Embedding {
 protected:
  void write_split(const std::string& split, int images) const {
    for (int i = 0; i < images; ++i) {
      write_image(fmt::format("data/{}dark/{}.png", split, i), 3 * i + 1);
      write_image(fmt::format("data/{}light/{}.png", split, i), 3 * i + 2, 127);
    }
  }
};

TEST_F(ProbeOfFolders, ChoosesWhatToTrainOnAndWhatToEvaluate) {
  write_split("", 4);
  EXPECT_EQ(open_probe_sets({at("data")}).evaluated_on, "cross_validation");
  EXPECT_EQ(open_probe_sets({at("data")}).training[0]->size(), 8);
  fs::remove_all(at("data"));
  write_split("train/", 4);
  EXPECT_EQ(open_probe_sets({at("data")}).evaluated_on, "cross_validation");
  write_split("val/", 2);
  EXPECT_EQ(open_probe_sets({at("data")}).evaluated_on, "val");
  EXPECT_EQ(open_probe_sets({at("data")}).training.size(), 1U);
  write_split("test/", 3);
  const ProbeSets sets = open_probe_sets({at("data")});
  EXPECT_EQ(sets.evaluated_on, "test");
  EXPECT_EQ(sets.training.size(), 2U);
  EXPECT_EQ(sets.evaluation->size(), 6);
  EXPECT_THROW(open_probe_sets({at("nothing")}), Error);
}

TEST_F(ProbeOfFolders, SeparatesDarkFromLightAndBecomesAModel) {
  write_split("train/", 5);
  write_split("test/", 4);
  model::ModelHandle model(model_file(), {}, pool_);
  const ProbeReport report = run_probe(open_probe_sets({at("data")}), model, pool_);
  EXPECT_EQ(report.training_images, 10);
  EXPECT_EQ(report.images, 8);
  EXPECT_EQ(report.top1, 100);
  EXPECT_EQ(report.mean_per_class, 100);
  EXPECT_EQ(report.interval.high, 1);
  EXPECT_TRUE(report.label_errors.empty());

  const formats::Model with = with_probe(model, report, model.preprocessing());
  EXPECT_EQ(with.labels, (std::vector<std::string>{"dark", "light"}));
  model::ModelHandle saved(write_file(with, "probe.safetensors"), {}, pool_);
  model::Classifier classifier(saved, {}, pool_);
  for (const std::string label : {"dark", "light"}) {
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(classifier.classify(vision::read_image(at(fmt::format("data/test/{}/{}.png", label, i)))).top[0].label,
                label);
  }
}

}  // namespace
}  // namespace effnet::transfer
