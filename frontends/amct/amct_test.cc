// The text files of AMCT: what they mean, and what their errors say.
#include "absl/strings/match.h"
#include "frontends/amct/layer_record.h"
#include "frontends/amct/text_file.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

TEST(AmctConfig, HasTheDefaultsOfTheDocuments) {
  const auto config = ParseAmctConfig("common_config { ifmr_quantize { search_step: 0.02 } }");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->batch_num(), 1);
  EXPECT_TRUE(config->activation_offset());
  EXPECT_FLOAT_EQ(config->common_config().ifmr_quantize().search_range_start(), 0.7f);
  EXPECT_FLOAT_EQ(config->common_config().ifmr_quantize().search_step(), 0.02f);
}

TEST(AmctConfig, ErrorsNameTheLineAndTheNearestField) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"batch_num: 2\nskip_layer: 'a'", "2:11: unknown field 'skip_layer'; did you mean 'skip_layers'?"},
      {"common_config { ifmr_quantise { } }", "unknown field 'ifmr_quantise'; did you mean 'ifmr_quantize'?"},
      {"batch_num: many", "1:12: Expected integer"},
      {"{", "1:1:"},
  };
  for (const Case& c : cases) {
    const auto config = ParseAmctConfig(c.text);
    ASSERT_FALSE(config.ok()) << c.text;
    EXPECT_TRUE(absl::StrContains(config.status().message(), c.message)) << config.status();
  }
}

TEST(CompressionConf, TakesValuesWithAndWithoutQuotes) {
  for (const char* text :
       {"enable_first_layer_quantization: true\ncalibration: {\n  input_data_dir: ./a.bin,./b.bin  # one per input\n"
        "  input_shape: in:16,3,224,224;in1:16,16\n  config_file: simple.cfg\n  infer_soc: Ascend310P3\n  infer_port: 8000\n}\n",
        "enable_first_layer_quantization: true\ncalibration {\n  input_data_dir: \"./a.bin,./b.bin\"\n"
        "  input_shape: \"in:16,3,224,224;in1:16,16\"\n  config_file: \"simple.cfg\"\n  infer_soc: \"Ascend310P3\"\n  infer_port: 8000\n}\n"}) {
    const auto conf = ParseCompressionConf(text);
    ASSERT_TRUE(conf.ok()) << conf.status();
    EXPECT_EQ(conf->calibration().input_data_dir(), "./a.bin,./b.bin");
    EXPECT_EQ(conf->calibration().input_shape(), "in:16,3,224,224;in1:16,16");
    EXPECT_EQ(conf->calibration().config_file(), "simple.cfg");
    EXPECT_EQ(conf->calibration().infer_port(), 8000);
  }
  EXPECT_TRUE(
      absl::StrContains(ParseCompressionConf("calibration: {\n input_data_dirs: \"x\"\n}").status().message(), "did you mean 'input_data_dir'?"));
}

TEST(Record, ReadsWhatAmctWrites) {
  const auto record = ParseRecord(
      "record { key: \"conv1\" value { scale_d: 0.0798 offset_d: 1 scale_w: 0.00297 scale_w: 0.003 offset_w: 0 offset_w: 0 dst_type: \"INT8\" } }");
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_EQ(record->record_size(), 1);
  const auto range = RangeOf(record->record(0).value());
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_FLOAT_EQ(range->min, -129 * 0.0798f);
  EXPECT_FLOAT_EQ(range->max, 126 * 0.0798f);
  EXPECT_EQ(SerializeRecord(*ParseRecord(SerializeRecord(*record))), SerializeRecord(*record));
}

TEST(Record, RefusesWhatCannotBe) {
  for (const auto& [text, message] : {std::pair{"scale_d: 0", "scale_d is 0"},
                                      {"scale_d: nan", "scale_d is nan"},
                                      {"offset_d: 1", "scale_d is missing"},
                                      {"scale_d: 1 offset_d: 200", "offset_d is 200"},
                                      {"scale_d: 1 offset_w: 3", "offset_w is 3"},
                                      {"scale_d: 1 dst_type: 'INT4'", "type INT4"}}) {
    const auto record = ParseRecord(std::string("record { key: 'a' value { ") + text + " } }");
    ASSERT_TRUE(record.ok()) << record.status();
    const auto range = RangeOf(record->record(0).value());
    ASSERT_FALSE(range.ok()) << text;
    EXPECT_TRUE(absl::StrContains(range.status().message(), message)) << range.status();
  }
}

}  // namespace
}  // namespace omkit::frontends
