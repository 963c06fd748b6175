// Exported functions: datasets.
#include "runtime/acl/errors.h"
#include "runtime/acl/model.h"
#include "runtime/acl/tensor.h"

namespace acl = omkit::acl;
using acl::DataBufferTable;
using acl::Dataset;
using acl::DatasetTable;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;
using acl::TensorDesc;
using acl::TensorDescTable;

namespace omkit::acl {
namespace {

constexpr size_t kMostBuffers = 1024;

// Makes the entry's description; an existing one is changed in place, so that its handle stays valid.
aclError SetEntryDesc(Dataset::Entry* entry, const TensorDesc& value, bool set) {
  TensorDesc copy = value;
  copy.owned = true;
  copy.entries.clear();
  if (const std::shared_ptr<TensorDesc> desc = TensorDescTable::Get().Find(entry->desc)) {
    *desc = std::move(copy);
  } else {
    entry->desc = TensorDescTable::Get().Add(std::make_shared<TensorDesc>(std::move(copy)));
    if (entry->desc == nullptr) return Fail(ACL_ERROR_RT_OVER_LIMIT, "too many tensor descriptions");
  }
  entry->desc_set = set;
  return ACL_SUCCESS;
}

// The description of an output that an execution wrote.
aclError DescribeOutput(Dataset* dataset, size_t index) {
  Dataset::Entry& entry = dataset->entries[index];
  if (entry.desc_set) return ACL_SUCCESS;
  if (dataset->written_by == nullptr || index >= dataset->written_by->outputs.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "entry %zu has no tensor description yet", index);
  }
  const IoInfo& io = dataset->written_by->outputs[index];
  TensorDesc desc;
  desc.type = io.type;
  desc.format = desc.origin_format = io.format;
  desc.dims = desc.origin_dims = index < dataset->written_dims.size() ? dataset->written_dims[index] : io.dims;
  desc.name = io.name;
  return SetEntryDesc(&entry, desc, false);
}

}  // namespace

aclError UseDataset(const aclmdlDataset* handle, const char* what, std::shared_ptr<Dataset>* dataset) {
  *dataset = DatasetTable::Get().Find(handle);
  if (*dataset != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%s %p is not a live dataset", what, static_cast<const void*>(handle));
}

}  // namespace omkit::acl

extern "C" {

aclmdlDataset* aclmdlCreateDataset(void) {
  return EnterOr<aclmdlDataset*>(__func__, nullptr, [] {
    void* const handle = DatasetTable::Get().Add(std::make_shared<Dataset>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many datasets");
    return static_cast<aclmdlDataset*>(handle);
  });
}

aclError aclmdlDestroyDataset(const aclmdlDataset* dataset) {
  return Enter(__func__, [&]() -> aclError {
    if (DatasetTable::Get().Remove(dataset) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live dataset", static_cast<const void*>(dataset));
  });
}

aclError aclmdlAddDatasetBuffer(aclmdlDataset* dataset, aclDataBuffer* dataBuffer) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Dataset> found;
    ACL_RETURN_IF_ERROR(acl::UseDataset(dataset, "dataset", &found));
    if (DataBufferTable::Get().Find(dataBuffer) == nullptr) {
      return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live data buffer", static_cast<void*>(dataBuffer));
    }
    if (found->entries.size() >= acl::kMostBuffers) return Fail(ACL_ERROR_INVALID_PARAM, "the dataset already has %zu buffers", acl::kMostBuffers);
    Dataset::Entry entry;
    entry.buffer = dataBuffer;
    found->entries.push_back(entry);
    return ACL_SUCCESS;
  });
}

size_t aclmdlGetDatasetNumBuffers(const aclmdlDataset* dataset) {
  return EnterOr<size_t>(__func__, 0, [&]() -> size_t {
    std::shared_ptr<Dataset> found;
    return acl::UseDataset(dataset, "dataset", &found) == ACL_SUCCESS ? found->entries.size() : 0;
  });
}

aclDataBuffer* aclmdlGetDatasetBuffer(const aclmdlDataset* dataset, size_t index) {
  return EnterOr<aclDataBuffer*>(__func__, nullptr, [&]() -> aclDataBuffer* {
    std::shared_ptr<Dataset> found;
    if (acl::UseDataset(dataset, "dataset", &found) != ACL_SUCCESS) return nullptr;
    if (index < found->entries.size()) return static_cast<aclDataBuffer*>(found->entries[index].buffer);
    Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the dataset has %zu buffers", index, found->entries.size());
    return nullptr;
  });
}

aclError aclmdlSetDatasetTensorDesc(aclmdlDataset* dataset, aclTensorDesc* tensorDesc, size_t index) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Dataset> found;
    std::shared_ptr<TensorDesc> desc;
    ACL_RETURN_IF_ERROR(acl::UseDataset(dataset, "dataset", &found));
    ACL_RETURN_IF_ERROR(acl::UseTensorDesc(tensorDesc, &desc));
    if (index >= found->entries.size())
      return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the dataset has %zu buffers", index, found->entries.size());
    return acl::SetEntryDesc(&found->entries[index], *desc, true);
  });
}

aclTensorDesc* aclmdlGetDatasetTensorDesc(const aclmdlDataset* dataset, size_t index) {
  return EnterOr<aclTensorDesc*>(__func__, nullptr, [&]() -> aclTensorDesc* {
    std::shared_ptr<Dataset> found;
    if (acl::UseDataset(dataset, "dataset", &found) != ACL_SUCCESS) return nullptr;
    if (index >= found->entries.size()) {
      Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the dataset has %zu buffers", index, found->entries.size());
      return nullptr;
    }
    if (acl::DescribeOutput(found.get(), index) != ACL_SUCCESS) return nullptr;
    return static_cast<aclTensorDesc*>(found->entries[index].desc);
  });
}

}  // extern "C"
