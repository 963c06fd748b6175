// The plain data objects behind handles: data buffers, tensor descriptions, datasets.
#ifndef OMKIT_RUNTIME_ACL_TENSOR_H_
#define OMKIT_RUNTIME_ACL_TENSOR_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "acl/acl.h"
#include "runtime/acl/slot_table.h"

namespace omkit::acl {

struct DataBuffer {
  void* data;
  size_t size;
};

struct TensorDesc {
  aclDataType type = ACL_DT_UNDEFINED;
  aclFormat format = ACL_FORMAT_UNDEFINED;
  std::vector<int64_t> dims;
  std::vector<std::array<int64_t, 2>> ranges;
  std::string name;
  aclFormat origin_format = ACL_FORMAT_UNDEFINED;
  std::vector<int64_t> origin_dims;
  aclMemType placement = ACL_MEMTYPE_DEVICE;
  std::string constant;
  void* address = nullptr;
  bool owned = false;          // by a dataset or a list: aclDestroyTensorDesc refuses it
  std::vector<void*> entries;  // handles of a list's descriptions after the first, which is this one
};

struct ModelInfo;

struct Dataset {
  struct Entry {
    void* buffer = nullptr;  // DataBuffer handle
    void* desc = nullptr;    // TensorDesc handle owned by the dataset
    bool desc_set = false;   // by aclmdlSetDatasetTensorDesc, not by an execution
  };
  std::vector<Entry> entries;
  std::vector<int64_t> gear;                       // set by aclmdlSetDynamic*; empty: the largest
  std::shared_ptr<const ModelInfo> written_by;     // the model whose outputs the last execution left here
  std::vector<std::vector<int64_t>> written_dims;  // their dims when the model's shapes are chosen at run time
  ~Dataset();
};

using DataBufferTable = SlotTable<DataBuffer, HandleType::kDataBuffer>;
using TensorDescTable = SlotTable<TensorDesc, HandleType::kTensorDesc>;
using DatasetTable = SlotTable<Dataset, HandleType::kDataset>;

// Find with the error recorded.
aclError UseDataset(const aclmdlDataset* handle, const char* what, std::shared_ptr<Dataset>* dataset);
aclError UseTensorDesc(const aclTensorDesc* handle, std::shared_ptr<TensorDesc>* desc);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_TENSOR_H_
