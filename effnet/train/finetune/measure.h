// What fine-tuning measures outside of the training runs, with the engine: the linear probe, the calibration, the
// accuracy on test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/data/dataset.h"
#include "effnet/report/run_findings.h"
#include "effnet/report/run_folder.h"
#include "effnet/train/finetune/finetune.h"
#include "effnet/transfer/probe.h"

namespace effnet::train {

// Trains a linear probe on `training` and writes the model with the probe as its classifier to `file`. The figures are
// those on `evaluation`. `l2`: the strength of the regularisation; empty: it is chosen by cross-validation. Without
// `evaluation` there are no figures, and `l2` must be given.
transfer::ProbeReport write_probe_model(const std::filesystem::path& file, const std::string& model,
                                        const Preprocessing& rule,
                                        std::vector<std::shared_ptr<const data::Dataset>> training,
                                        const std::shared_ptr<const data::Dataset>& evaluation,
                                        std::optional<double> l2, ThreadPool& pool, const Watch& watch);

// Estimates the time of training on one image with this preprocessing: four times the time of the engine, which
// includes reading and decoding.
double training_image_s(const data::Dataset& set, const std::string& model, const Preprocessing& rule,
                        ThreadPool& pool);

// The probable label errors of all images, by cross-validation of a linear probe with the strength `l2`; the most
// probable error first.
std::vector<report::LabelError> label_errors(const std::string& model, const Preprocessing& rule,
                                             const std::shared_ptr<const data::Dataset>& set, double l2,
                                             ThreadPool& pool, const Watch& watch);

// Temperature and min_score from the validation images (metrics/temperature.h).
report::FinetuneCalibration calibrate(const std::filesystem::path& model_file, const data::Dataset& validation,
                                      ThreadPool& pool, const Watch& watch);

// The predictions of the engine for all images of `set`. Prediction::calibrated has the scores at `temperature`.
std::vector<report::Prediction> measure_in_engine(const std::filesystem::path& model_file, const data::Dataset& set,
                                                  double temperature, ThreadPool& pool, const Watch& watch);
// Copies Prediction::calibrated of the images with the same name.
void copy_calibrated(const std::vector<report::Prediction>& from, std::vector<report::Prediction>& to);

// Sets the figures of the linear probe on test: those of `of_probe`, and the p-value of the comparison with
// `of_network`. Both are of the same images in the same order.
void compare_with_probe(const std::vector<report::Prediction>& of_network,
                        const std::vector<report::Prediction>& of_probe, report::FinetuneProbe& probe);

// The figures of a result from its predictions; engine_top1 is not set.
report::FinetuneResult result_of(const std::vector<report::Prediction>& predictions,
                                 const std::vector<std::string>& classes);

}  // namespace effnet::train
