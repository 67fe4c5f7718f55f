// Helpers of the model tests: a tiny network as a model in memory and as files, in a separate home folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/file.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/lower.h"
#include "effnet/vision/image.h"

namespace effnet::model::testkit {

constexpr std::int64_t kSide = 40;  // the tiny network's nominal resolution

// The network has 37 classes, squeeze-and-excitation and residuals. Its weights are such that every parameter affects
// the result. The model has no labels.
inline formats::Model tiny_model() {
  formats::Model model;
  model.arch = engine::testkit::mbconv_network();
  model.arch.resolution = kSide;
  model.weights = engine::testkit::nontrivial_weights(graph::lower(model.arch));
  model.preprocessing.crop = {kSide, kSide};
  model.preprocessing.resize = {kSide + 8, kSide + 8};
  model.preprocessing.filter = Filter::bicubic;
  return model;
}

// Returns an image that contains every byte value in every channel.
inline vision::Image test_image(std::int64_t h = 50, std::int64_t w = 61) {
  vision::Image image{h, w, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * h * w))};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i * 11 / 3 + i % 3 * 83);
  return image;
}

class WithHome : public testing::Test {
 protected:
  void SetUp() override { ::setenv("EFFNET_HOME", at("home").c_str(), 1); }
  void TearDown() override { ::unsetenv("EFFNET_HOME"); }

  std::string at(const std::string& file) const { return (folder_.path() / file).string(); }
  std::string write_file(const formats::Model& model, const std::string& file) const {
    make_folders((folder_.path() / file).parent_path());
    formats::write_model(at(file), model);
    return at(file);
  }

  ThreadPool pool_{2};

 private:
  TemporaryFolder folder_;
};

}  // namespace effnet::model::testkit
