#include "effnet/transfer/knn.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "effnet/base/interrupt.h"
#include "effnet/layers/linear.h"

namespace effnet::transfer {
namespace {

constexpr std::int64_t kQueryBlock = 1024, kRowBlock = 4096;

bool closer(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
}

// Adds a neighbour to a sorted list of at most `count`.
void insert(std::vector<Neighbour>& list, const Neighbour& one, std::int64_t count) {
  if (std::ssize(list) == count) {
    if (!closer(one, list.back())) return;
    list.pop_back();
  }
  list.insert(std::upper_bound(list.begin(), list.end(), one, closer), one);
}

}  // namespace

void normalise_rows(std::span<float> values, std::int64_t width) {
  for (std::size_t begin = 0; begin < values.size(); begin += static_cast<std::size_t>(width)) {
    const std::span<float> row = values.subspan(begin, static_cast<std::size_t>(width));
    double squares = 0;
    for (const float value : row) squares += double{value} * value;
    if (squares == 0) continue;
    const double factor = 1 / std::sqrt(squares);
    for (float& value : row) value = static_cast<float>(value * factor);
  }
}

std::vector<std::vector<Neighbour>> nearest(const layers::Context& context, std::span<const float> rows,
                                            std::span<const float> queries, std::int64_t width, std::int64_t count,
                                            bool leave_own_row_out) {
  const std::int64_t n = std::ssize(rows) / width, m = std::ssize(queries) / width;
  std::vector<std::vector<Neighbour>> found(static_cast<std::size_t>(m));
  std::vector<float> similarities(static_cast<std::size_t>(std::min(m, kQueryBlock) * std::min(n, kRowBlock)));
  const std::vector<float> bias(static_cast<std::size_t>(std::min(n, kRowBlock)));
  for (std::int64_t row = 0; row < n; row += kRowBlock) {
    const std::int64_t block_rows = std::min(kRowBlock, n - row);
    for (std::int64_t query = 0; query < m; query += kQueryBlock) {
      check_interrupt();
      const std::int64_t block_queries = std::min(kQueryBlock, m - query);
      layers::linear_forward(context, {block_queries, width, block_rows}, queries.data() + query * width,
                             rows.data() + row * width, bias.data(), similarities.data());
      context.loops.parallel(block_queries, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t q = first; q < last; ++q) {
          for (std::int64_t r = 0; r < block_rows; ++r) {
            if (leave_own_row_out && query + q == row + r) continue;
            const float similarity =
                std::clamp(similarities[static_cast<std::size_t>(q * block_rows + r)], -1.0F, 1.0F);
            insert(found[static_cast<std::size_t>(query + q)], {row + r, similarity}, count);
          }
        }
      });
    }
  }
  return found;
}

NearestNeighbours::NearestNeighbours(const layers::Context& context, const LabelledRows& training)
    : context_(context),
      width_(training.width),
      rows_(training.values.begin(), training.values.end()),
      labels_(training.labels.begin(), training.labels.end()) {
  normalise_rows(rows_, width_);
  const auto neighbours = nearest(context_, rows_, rows_, width_, std::ranges::max(kChoices), true);
  std::int64_t most = -1;
  for (const std::int64_t k : kChoices) {
    std::int64_t right = 0;
    for (std::size_t i = 0; i < labels_.size(); ++i) right += vote(neighbours[i], k) == labels_[i];
    if (right <= most) continue;
    most = right;
    k_ = k;
  }
  if (!labels_.empty()) leave_one_out_ = static_cast<double>(most) / static_cast<double>(labels_.size());
}

// Returns -1 if there are no neighbours.
std::int64_t NearestNeighbours::vote(const std::vector<Neighbour>& neighbours, std::int64_t k) const {
  // By class: the number of its neighbours, then the sum of their similarities.
  std::map<std::int64_t, std::pair<std::int64_t, double>> votes;
  for (std::int64_t i = 0; i < std::min(k, std::ssize(neighbours)); ++i) {
    const Neighbour& one = neighbours[static_cast<std::size_t>(i)];
    auto& [count, similarity] = votes[labels_[static_cast<std::size_t>(one.row)]];
    ++count;
    similarity += one.similarity;
  }
  const auto best =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return best == votes.end() ? -1 : best->first;
}

std::vector<std::int64_t> NearestNeighbours::classify(std::span<const float> values) const {
  std::vector<float> queries(values.begin(), values.end());
  normalise_rows(queries, width_);
  std::vector<std::int64_t> classes;
  for (const std::vector<Neighbour>& neighbours : nearest(context_, rows_, queries, width_, k_))
    classes.push_back(vote(neighbours, k_));
  return classes;
}

}  // namespace effnet::transfer
