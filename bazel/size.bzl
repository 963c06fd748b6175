"""FOR_SIZE: compiler flags of what libascendcl links beside its kernels: loading, checking and lowering models, the C API."""

# The library may have 4 MB (//tests/acl_clients:exports_test), and no model spends its time in this code.
FOR_SIZE = ["-Os"]
