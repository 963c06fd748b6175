#!/usr/bin/env python3
"""The class of a raw input file, with pyACL as on an Ascend device:  pyacl_classify.py MODEL.om INPUT.bin"""
import sys

import numpy as np

import acl

ACL_MEM_MALLOC_HUGE_FIRST = 0
ACL_MEMCPY_HOST_TO_DEVICE, ACL_MEMCPY_DEVICE_TO_HOST = 1, 2
NPY_FLOAT = 11


def check(ret, what):
    if ret != 0:
        sys.exit(f'pyacl_classify: {what} failed with {ret}: {acl.get_recent_err_msg()}')


def make_dataset(desc, count, size_of):
    """A dataset over device memory of the right sizes, and that memory."""
    dataset, memory = acl.mdl.create_dataset(), []
    for i in range(count):
        size = size_of(desc, i)
        address, ret = acl.rt.malloc(size, ACL_MEM_MALLOC_HUGE_FIRST)
        check(ret, 'acl.rt.malloc')
        _, ret = acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(address, size))
        check(ret, 'acl.mdl.add_dataset_buffer')
        memory.append((address, size))
    return dataset, memory


def free_dataset(dataset, memory):
    for i, (address, _) in enumerate(memory):
        acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, i))
        check(acl.rt.free(address), 'acl.rt.free')
    check(acl.mdl.destroy_dataset(dataset), 'acl.mdl.destroy_dataset')


def main(model_path, input_path):
    check(acl.init(), 'acl.init')
    check(acl.rt.set_device(0), 'acl.rt.set_device')
    context, ret = acl.rt.create_context(0)
    check(ret, 'acl.rt.create_context')
    model, ret = acl.mdl.load_from_file(model_path)
    check(ret, 'acl.mdl.load_from_file')
    desc = acl.mdl.create_desc()
    check(acl.mdl.get_desc(desc, model), 'acl.mdl.get_desc')
    inputs, input_memory = make_dataset(desc, acl.mdl.get_num_inputs(desc), acl.mdl.get_input_size_by_index)
    outputs, output_memory = make_dataset(desc, acl.mdl.get_num_outputs(desc), acl.mdl.get_output_size_by_index)

    with open(input_path, 'rb') as f:
        pixels = f.read()
    address, size = input_memory[0]
    if len(pixels) != size:
        sys.exit(f'pyacl_classify: {input_path} has {len(pixels)} bytes, the model takes {size}')
    check(acl.rt.memcpy(address, size, acl.util.bytes_to_ptr(pixels), size, ACL_MEMCPY_HOST_TO_DEVICE), 'acl.rt.memcpy')
    check(acl.mdl.execute(model, inputs, outputs), 'acl.mdl.execute')

    address, size = output_memory[0]
    host, ret = acl.rt.malloc_host(size)
    check(ret, 'acl.rt.malloc_host')
    check(acl.rt.memcpy(host, size, address, size, ACL_MEMCPY_DEVICE_TO_HOST), 'acl.rt.memcpy')
    dims, ret = acl.mdl.get_output_dims(desc, 0)
    check(ret, 'acl.mdl.get_output_dims')
    scores = acl.util.ptr_to_numpy(host, tuple(dims['dims']), NPY_FLOAT)
    print(f'class {np.argmax(scores)}')

    del scores
    check(acl.rt.free_host(host), 'acl.rt.free_host')
    free_dataset(inputs, input_memory)
    free_dataset(outputs, output_memory)
    check(acl.mdl.destroy_desc(desc), 'acl.mdl.destroy_desc')
    check(acl.mdl.unload(model), 'acl.mdl.unload')
    check(acl.rt.destroy_context(context), 'acl.rt.destroy_context')
    check(acl.rt.reset_device(0), 'acl.rt.reset_device')
    check(acl.finalize(), 'acl.finalize')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
