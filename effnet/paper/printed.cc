#include "effnet/paper/printed.h"

namespace effnet::paper {
namespace {

constexpr PrintedStage kStages[] = {
    {"1", "Conv3x3", "224", "32", "1"},
    {"2", "MBConv1, k3x3", "112", "16", "1"},
    {"3", "MBConv6, k3x3", "112", "24", "2"},
    {"4", "MBConv6, k5x5", "56", "40", "2"},
    {"5", "MBConv6, k3x3", "28", "80", "3"},
    {"6", "MBConv6, k5x5", "14", "112", "3"},
    {"7", "MBConv6, k5x5", "14", "192", "4"},
    {"8", "MBConv6, k3x3", "7", "320", "1"},
    {"9", "Conv1x1, pooling, FC", "7", "1280", "1"},
};

constexpr PrintedImagenet kImagenet[] = {
    {"B0", "efficientnet_b0", "77.1", "93.3", "5.3M", "1x", "0.39B", "1x"},
    {"ResNet-50", "resnet50", "76.0", "93.0", "26M", "4.9x", "4.1B", "11x"},
    {"DenseNet-169", nullptr, "76.2", "93.2", "14M", "2.6x", "3.5B", "8.9x"},
    {"B1", "efficientnet_b1", "79.1", "94.4", "7.8M", "1x", "0.70B", "1x"},
    {"ResNet-152", "resnet152", "77.8", "93.8", "60M", "7.6x", "11B", "16x"},
    {"DenseNet-264", nullptr, "77.9", "93.9", "34M", "4.3x", "6.0B", "8.6x"},
    {"Inception-v3", nullptr, "78.8", "94.4", "24M", "3.0x", "5.7B", "8.1x"},
    {"Xception", nullptr, "79.0", "94.5", "23M", "3.0x", "8.4B", "12x"},
    {"B2", "efficientnet_b2", "80.1", "94.9", "9.2M", "1x", "1.0B", "1x"},
    {"Inception-v4", nullptr, "80.0", "95.0", "48M", "5.2x", "13B", "13x"},
    {"Inception-ResNet-v2", nullptr, "80.1", "95.1", "56M", "6.1x", "13B", "13x"},
    {"B3", "efficientnet_b3", "81.6", "95.7", "12M", "1x", "1.8B", "1x"},
    {"ResNeXt-101", nullptr, "80.9", "95.6", "84M", "7.0x", "32B", "18x"},
    {"PolyNet", nullptr, "81.3", "95.8", "92M", "7.7x", "35B", "19x"},
    {"B4", "efficientnet_b4", "82.9", "96.4", "19M", "1x", "4.2B", "1x"},
    {"SENet", nullptr, "82.7", "96.2", "146M", "7.7x", "42B", "10x"},
    {"NASNet-A", nullptr, "82.7", "96.2", "89M", "4.7x", "24B", "5.7x"},
    {"AmoebaNet-A", nullptr, "82.8", "96.1", "87M", "4.6x", "23B", "5.5x"},
    {"PNASNet", nullptr, "82.9", "96.2", "86M", "4.5x", "23B", "6.0x"},
    {"B5", "efficientnet_b5", "83.6", "96.7", "30M", "1x", "9.9B", "1x"},
    {"AmoebaNet-C", nullptr, "83.5", "96.5", "155M", "5.2x", "41B", "4.1x"},
    {"B6", "efficientnet_b6", "84.0", "96.8", "43M", "1x", "19B", "1x"},
    {"B7", "efficientnet_b7", "84.3", "97.0", "66M", "1x", "37B", "1x"},
    {"GPipe (AmoebaNet-B)", "amoebanet_b", "84.3", "97.0", "557M", "8.4x", nullptr, nullptr},
};

constexpr Text kExchanged = "The printed MACs of the rows d=4 and w=2 are probably exchanged.";
constexpr PrintedScaling kScalings[] = {
    {"MobileNetV1", {"mobilenet_v1"}, "0.6B", "70.6"},
    {"MobileNetV1, w=2", {"mobilenet_v1", 1, 2}, "2.2B", "74.2"},
    {"MobileNetV1, r=2", {"mobilenet_v1", 1, 1, 448}, "2.2B", "72.7"},
    {"MobileNetV1, d=1.4 w=1.2 r=1.3", {"mobilenet_v1", 1.4, 1.2, kCompoundPixels}, "2.3B", "75.6"},
    {"MobileNetV2", {"mobilenet_v2"}, "0.3B", "72.0"},
    {"MobileNetV2, d=4", {"mobilenet_v2", 4}, "1.2B", "76.8"},
    {"MobileNetV2, w=2", {"mobilenet_v2", 1, 2}, "1.1B", "76.4"},
    {"MobileNetV2, r=2", {"mobilenet_v2", 1, 1, 448}, "1.2B", "74.8"},
    {"MobileNetV2, compound",
     {"mobilenet_v2", 1.4, 1.2, kCompoundPixels},
     "1.3B",
     "77.4",
     "The paper does not print d, w and r of this row."},
    {"ResNet-50", {"resnet50"}, "4.1B", "76.0"},
    {"ResNet-50, d=4", {"resnet50", 4}, "16.2B", "78.1", kExchanged},
    {"ResNet-50, w=2", {"resnet50", 1, 2}, "14.7B", "77.7", kExchanged},
    {"ResNet-50, r=2", {"resnet50", 1, 1, 448}, "16.4B", "77.5"},
    {"ResNet-50, compound",
     {"resnet50", 1.4, 1.2, kCompoundPixels},
     "16.7B",
     "78.8",
     "The paper does not print d, w and r of this row."},
};

constexpr PrintedScaling kCam[] = {
    {"B0", {"efficientnet_b0"}, "0.4B", "77.3", "Table 2 prints 77.1 for the same network."},
    {"B0, d=4", {"efficientnet_b0", 4}, "1.8B", "79.0"},
    {"B0, w=2", {"efficientnet_b0", 1, 2}, "1.8B", "78.9"},
    {"B0, r=2", {"efficientnet_b0", 1, 1, 448}, "1.9B", "79.1"},
    {"B0, d=1.4 w=1.2 r=1.3",
     {"efficientnet_b0", 1.4, 1.2, kCompoundPixels},
     "1.8B",
     "81.1",
     "Depth and width are those of B3; the accuracy is that of B3 in the first version of the paper."},
};

constexpr PrintedPair kLatencies[] = {{{"resnet152", "ResNet-152", "77.8", "0.554", "60M", "11B"},
                                       {"efficientnet_b1", "EfficientNet-B1", "78.8", "0.098", "7.8M", "0.70B"},
                                       "5.7x"},
                                      {{"amoebanet_b", "GPipe", "84.3", "19.0", "557M", nullptr},
                                       {"efficientnet_b7", "EfficientNet-B7", "84.4", "3.1", "66M", "37B"},
                                       "6.1x"}};

constexpr Text kB0 = "efficientnet_b0", kB3 = "efficientnet_b3", kB4 = "efficientnet_b4", kB5 = "efficientnet_b5",
               kB6 = "efficientnet_b6", kB7 = "efficientnet_b7";
constexpr PrintedTransfer kTransfers[] = {
    {"CIFAR-10", 10, "public", {"NASNet-A", "98.0", "85M"}, {"B0", "98.1", "4M"}, kB0, "21x"},
    {"CIFAR-10", 10, "best", {"GPipe", "99.0", "556M"}, {"B7", "98.9", "64M"}, kB7, "8.7x"},
    {"CIFAR-100", 100, "public", {"NASNet-A", "87.5", "85M"}, {"B0", "88.1", "4M"}, kB0, "21x"},
    {"CIFAR-100", 100, "best", {"GPipe", "91.3", "556M"}, {"B7", "91.7", "64M"}, kB7, "8.7x"},
    {"Birdsnap", 500, "public", {"Inception-v4", "81.8", "41M"}, {"B5", "82.0", "28M"}, kB5, "1.5x"},
    {"Birdsnap", 500, "best", {"GPipe", "83.6", "556M"}, {"B7", "84.3", "64M"}, kB7, "8.7x"},
    {"Stanford Cars", 196, "public", {"Inception-v4", "93.4", "41M"}, {"B3", "93.6", "10M"}, kB3, "4.1x"},
    {"Stanford Cars", 196, "best", {"DAT", "94.8", nullptr}, {"B7", "94.7", nullptr}, kB7, nullptr},
    {"Flowers", 102, "public", {"Inception-v4", "98.5", "41M"}, {"B5", "98.5", "28M"}, kB5, "1.5x"},
    {"Flowers", 102, "best", {"DAT", "97.7", nullptr}, {"B7", "98.8", nullptr}, kB7, nullptr},
    {"FGVC Aircraft", 100, "public", {"Inception-v4", "90.9", "41M"}, {"B3", "90.7", "10M"}, kB3, "4.1x"},
    {"FGVC Aircraft", 100, "best", {"DAT", "92.9", nullptr}, {"B7", "92.9", nullptr}, kB7, nullptr},
    {"Oxford-IIIT Pets", 37, "public", {"ResNet-152", "94.5", "58M"}, {"B4", "94.8", "17M"}, kB4, "5.6x"},
    {"Oxford-IIIT Pets", 37, "best", {"GPipe", "95.9", "556M"}, {"B6", "95.4", "41M"}, kB6, "14x"},
    {"Food-101", 101, "public", {"Inception-v4", "90.8", "41M"}, {"B4", "91.5", "17M"}, kB4, "2.4x"},
    {"Food-101", 101, "best", {"GPipe", "93.0", "556M"}, {"B7", "93.0", "64M"}, kB7, "8.7x"},
};

constexpr PrintedMean kMeans[] = {{"public", "4.7x"}, {"best", "9.6x"}};

constexpr PrintedDataset kDatasets[] = {
    {"CIFAR-10", 50000, 10000, 10, "top-1"},
    {"CIFAR-100", 50000, 10000, 100, "top-1"},
    {"Birdsnap", 47386, 2443, 500, "top-1"},
    {"Stanford Cars", 8144, 8041, 196, "top-1"},
    {"Flowers-102", 2040, 6149, 102, "mean per class"},
    {"FGVC Aircraft", 6667, 3333, 100, "mean per class"},
    {"Oxford-IIIT Pets", 3680, 3369, 37, "mean per class"},
    {"Food-101", 75750, 25250, 101, "top-1"},
};

constexpr PrintedTest kTests[] = {
    {"efficientnet_b0", "77.11", "77.23", "93.35", "93.45"}, {"efficientnet_b1", "79.13", "79.17", "94.47", "94.43"},
    {"efficientnet_b2", "80.07", "80.16", "94.90", "94.98"}, {"efficientnet_b3", "81.59", "81.72", "95.67", "95.70"},
    {"efficientnet_b4", "82.89", "82.94", "96.37", "96.27"}, {"efficientnet_b5", "83.60", "83.69", "96.71", "96.64"},
    {"efficientnet_b6", "83.95", "84.04", "96.76", "96.86"}, {"efficientnet_b7", "84.26", "84.33", "96.97", "96.94"},
};

}  // namespace

std::span<const PrintedStage> printed_stages() { return kStages; }
std::span<const PrintedImagenet> printed_imagenet() { return kImagenet; }
std::span<const PrintedScaling> printed_scalings() { return kScalings; }
std::span<const PrintedScaling> printed_cam() { return kCam; }
std::span<const PrintedPair> printed_latencies() { return kLatencies; }
std::span<const PrintedTransfer> printed_transfers() { return kTransfers; }
std::span<const PrintedMean> printed_means() { return kMeans; }
std::span<const PrintedDataset> printed_datasets() { return kDatasets; }
std::span<const PrintedTest> printed_tests() { return kTests; }

}  // namespace effnet::paper
