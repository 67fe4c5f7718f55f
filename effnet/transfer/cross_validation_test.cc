#include "effnet/transfer/cross_validation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/transfer/compute.h"
#include "effnet/transfer/knn.h"
#include "effnet/transfer/label_errors.h"
#include "effnet/transfer/transfer_testing.h"

namespace effnet::transfer {
namespace {

using testkit::all_rows;
using testkit::Clusters;

TEST(Folds, HaveTheSameNumberOfEachClass) {
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 103; ++i) labels.push_back(i < 50 ? 0 : i < 52 ? 1 : 2);
  const std::vector<int> folds = stratified_folds(labels, 3, 5, 1);
  EXPECT_EQ(folds, stratified_folds(labels, 3, 5, 1));
  EXPECT_NE(folds, stratified_folds(labels, 3, 5, 2));
  for (std::int64_t label = 0; label < 3; ++label) {
    std::vector<int> count(5);
    for (std::size_t i = 0; i < labels.size(); ++i) count[static_cast<std::size_t>(folds[i])] += labels[i] == label;
    const auto [least, most] = std::minmax_element(count.begin(), count.end());
    EXPECT_LE(*most - *least, 1) << label;
  }
}

TEST(CrossValidation, ProbabilitiesComeFromTheOtherFolds) {
  const Clusters data(60, 12, 3, 1.5F);
  const Compute compute(2);
  const CrossValidation result = cross_validate(compute.context, data.rows(), {.folds = 4, .grid = {1, 0.1, 0.01}});
  ASSERT_FALSE(result.trials.empty());
  const auto best = std::ranges::min_element(result.trials, {}, &Trial::log_loss);
  EXPECT_EQ(result.l2, best->l2);

  // The same folds by hand.
  const std::vector<int> folds = stratified_folds(data.labels, 3, 4, 0);
  double loss = 0;
  for (int fold = 0; fold < 4; ++fold) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < 60; ++i) {
      if (folds[static_cast<std::size_t>(i)] != fold) rows.push_back(i);
    }
    const auto probabilities_after = [&](const std::vector<double>& strengths) {
      ProbeTraining training(compute.context, data.rows(), rows);
      for (const double l2 : strengths) training.fit(l2);
      std::vector<float> probabilities = training.probe().logits(compute.context, data.values);
      to_probabilities(probabilities, 3);
      return probabilities;
    };
    // The strengths are compared along the path; the probabilities come from a probe with the best one alone.
    std::vector<double> path{1, 0.1, 0.01};
    path.erase(std::ranges::find(path, result.l2) + 1, path.end());
    const std::vector<float> along = probabilities_after(path), alone = probabilities_after({result.l2});
    for (std::size_t i = 0; i < 60; ++i) {
      if (folds[i] != fold) continue;
      for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(result.probabilities[3 * i + k], alone[3 * i + k], 1e-6);
      loss -= std::log(along[3 * i + static_cast<std::size_t>(data.labels[i])]) / 60;
    }
  }
  EXPECT_NEAR(best->log_loss, loss, 1e-5);
}

// Without information the strongest regularisation is best.
TEST(CrossValidation, ChoosesTheStrengthOnSomeOfManyRows) {
  const Clusters data(300, 12, 3, 1.5F);
  const Compute compute(2);
  const CrossValidationOptions options{.grid = {1, 0.1, 0.01, 1e-3}, .rows_of_choice = 100};
  const CrossValidation result = cross_validate(compute.context, data.rows(), options);
  // 100 of 300 rows: the strength is a third of the best one of the grid.
  const auto best = std::ranges::min_element(result.trials, {}, &Trial::log_loss);
  EXPECT_DOUBLE_EQ(result.l2, best->l2 * 100 / 300);
  // Every row has probabilities with this strength, from a probe that was trained without it.
  const CrossValidation given = cross_validate(compute.context, data.rows(), {.grid = {result.l2}});
  EXPECT_EQ(result.probabilities, given.probabilities);
  EXPECT_EQ(given.probabilities.size(), 900U);
  EXPECT_EQ(given.l2, result.l2);
  for (std::size_t i = 0; i < 900; i += 3)
    EXPECT_NEAR(given.probabilities[i] + given.probabilities[i + 1] + given.probabilities[i + 2], 1, 1e-5);
}

TEST(CrossValidation, ChoosesStrongRegularisationForNoise) {
  Clusters data(80, 30, 2, 1.0F);
  std::rotate(data.labels.begin(), data.labels.begin() + 1, data.labels.begin() + 40);
  Philox(9, stream_of("pure noise")).fill_normal(data.values, 0, 1);
  const Compute compute(1);
  EXPECT_EQ(cross_validate(compute.context, data.rows(), {.grid = {10, 0.1, 1e-3}}).l2, 10);
}

TEST(CrossValidation, SmallClasses) {
  const Compute compute(1);
  const std::vector<float> values{0, 1, 5, 6, 9};
  // One class has a single row: its row is predicted by a probe that has never seen the class.
  const std::vector<std::int64_t> labels{0, 0, 1, 1, 2};
  const CrossValidation result = cross_validate(compute.context, {values, labels, 1, 3});
  EXPECT_EQ(result.probabilities.size(), 15U);
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(result.probabilities[3 * i] + result.probabilities[3 * i + 1] + result.probabilities[3 * i + 2], 1,
                1e-5);
  EXPECT_LT(result.probabilities[14], 0.5);
  const std::vector<std::int64_t> single{0, 1, 2, 3, 4};
  EXPECT_THROW(cross_validate(compute.context, {values, single, 1, 5}), Error);
}

TEST(Nearest, AgreesWithAComparisonOfAllPairs) {
  // More rows than a block of 4096, and a width that is not a multiple of 16.
  Clusters data(4099, 7, 3, 1.0F), queries(33, 7, 3, 0.9F);
  normalise_rows(data.values, 7);
  normalise_rows(queries.values, 7);
  const Compute compute(3);
  const auto found = nearest(compute.context, data.values, queries.values, 7, 6);
  ASSERT_EQ(found.size(), 33U);
  for (std::size_t q = 0; q < 33; ++q) {
    std::vector<double> similarities;
    for (std::size_t r = 0; r < 4099; ++r)
      similarities.push_back(
          std::inner_product(&data.values[r * 7], &data.values[r * 7] + 7, &queries.values[q * 7], 0.0));
    std::vector<double> sorted = similarities;
    std::ranges::sort(sorted, std::greater());
    ASSERT_EQ(found[q].size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
      // Seven products of numbers up to 1, each with a relative error of 2^-24 for product and sum.
      EXPECT_NEAR(found[q][i].similarity, sorted[i], 14 * 0x1p-24);
      EXPECT_NEAR(found[q][i].similarity, similarities[static_cast<std::size_t>(found[q][i].row)], 14 * 0x1p-24);
    }
  }
  const auto others = nearest(compute.context, data.values, std::span(data.values).first(7 * 5), 7, 3, true);
  for (std::size_t q = 0; q < 5; ++q) {
    for (const Neighbour& one : others[q]) EXPECT_NE(one.row, static_cast<std::int64_t>(q));
  }
}

TEST(Nearest, OrdersEqualSimilaritiesByRow) {
  const std::vector<float> rows{1, 0, 0, 1, 1, 0, 0, 0}, query{1, 0};
  const Compute compute(1);
  const auto found = nearest(compute.context, rows, query, 2, 10);
  ASSERT_EQ(found[0].size(), 4U);
  EXPECT_EQ(found[0][0].row, 0);
  EXPECT_EQ(found[0][1].row, 2);
  EXPECT_EQ(found[0][2].row, 1);
  EXPECT_EQ(found[0][3].similarity, 0);  // a row of zeros
}

TEST(NearestNeighbours, ChoosesKAndClassifies) {
  const Clusters data(90, 16, 3, 0.3F);
  const Compute compute(2);
  const NearestNeighbours knn(compute.context, data.rows());
  EXPECT_EQ(knn.k(), 1);  // all are right with every k, so the smallest is chosen
  EXPECT_EQ(knn.leave_one_out(), 1);
  EXPECT_EQ(knn.classify(data.values), data.labels);

  // A wrong label among many right ones: the nearest neighbour is misled, the majority is not.
  const std::vector<float> values{1, 0, 1,     0.01F, 1,     0.02F, 1,     0.03F, 1,     0.04F, 1,     0.05F,
                                  0, 1, 0.01F, 1,     0.02F, 1,     0.03F, 1,     0.04F, 1,     0.05F, 1};
  const std::vector<std::int64_t> labels{0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1};
  EXPECT_EQ(NearestNeighbours(compute.context, {values, labels, 2, 2}).k(), 5);
}

TEST(LabelErrors, ListsAsManyRowsAsTheConfidentJointEstimates) {
  // Thresholds: class 0 (0.9 + 0.7 + 0.1 + 0.4) / 4 = 0.525, class 1 (0.6 + 0.9) / 2 = 0.75. Of the four images with
  // the label 0, two are confident for class 0 and one for class 1, so an estimated 4 / 3 labels are wrong, rounded
  // to 1.
  const std::vector<float> probabilities{0.9F, 0.1F, 0.7F, 0.3F, 0.1F, 0.9F, 0.4F, 0.6F, 0.4F, 0.6F, 0.1F, 0.9F};
  const std::vector<std::int64_t> labels{0, 0, 0, 0, 1, 1};
  const std::vector<LabelError> errors = find_label_errors(probabilities, labels, 2);
  ASSERT_EQ(errors.size(), 1U);  // row 3 also disagrees, with a smaller margin
  EXPECT_EQ(errors[0].row, 2);
  EXPECT_EQ(errors[0].label, 0);
  EXPECT_EQ(errors[0].suggested, 1);
  EXPECT_FLOAT_EQ(static_cast<float>(errors[0].margin()), 0.8F);
}

TEST(LabelErrors, AClassWithoutImagesHasNoThreshold) {
  // Both images are confident for class 1 or 0 by the thresholds 0.1 and 0.2; class 2 has none.
  const std::vector<float> probabilities{0.1F, 0.2F, 0.7F, 0.1F, 0.2F, 0.7F};
  const auto errors = find_label_errors(probabilities, std::vector<std::int64_t>{0, 1}, 3);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].row, 0);
  EXPECT_TRUE(find_label_errors({}, {}, 3).empty());
}

TEST(LabelErrors, FindsSwappedLabels) {
  Clusters data(300, 20, 5, 0.8F);
  std::vector<bool> wrong(300);
  for (std::size_t i = 7; i < 300; i += 31) {  // 10 images of all classes
    data.labels[i] = (data.labels[i] + 1 + static_cast<std::int64_t>(i) % 4) % 5;
    wrong[i] = true;
  }
  const Compute compute(2);
  const CrossValidation validation = cross_validate(compute.context, data.rows());
  const auto errors = find_label_errors(validation.probabilities, data.labels, 5);
  std::int64_t found = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(errors.size(), 15); ++i)
    found += wrong[static_cast<std::size_t>(errors[i].row)];
  EXPECT_GE(found, 8);  // of 10
}

}  // namespace
}  // namespace effnet::transfer
